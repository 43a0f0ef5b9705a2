import random

import pytest

from proa.core.config import Json, read_batch
from proa.core.config.analyze.analysis import SUPPRESS, analyze, subjects_of, told_of
from proa.core.config.analyze.codes import CODES
from proa.core.config.analyze.world import build_world
from tests.unit.core.config.analyze.finding import an_object, routes, to

OLD = """\
apiVersion: config.istio.io/v1alpha2
kind: EgressRule
metadata:
  name: out
spec:
  destination:
    service: a.example
  ports:
  - port: 80
    protocol: http
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: rule
spec:
  destination:
    service: nosuch.example
  route:
  - labels:
      version: v1
"""
NEW = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: rule
spec:
  hosts: [a.example]
  http:
  - route:
    - destination:
        host: nosuch.example
"""


def test_a_message_has_its_place_in_the_file() -> None:
    subjects = subjects_of(read_batch([("f.yaml", NEW)]).objects)
    (told,) = told_of(analyze(build_world(subjects.configs)), subjects)
    assert str(told) == (
        "f.yaml:10: spec.http[0].route[0].destination.host: nobody has the host nosuch.example"
        " [host-missing, IST0101]"
    )
    assert told.object == "VirtualService/default/rule"


def test_what_is_wrong_with_rules_of_2018_is_told_at_their_place() -> None:
    subjects = subjects_of(read_batch([("f.yaml", OLD)]).objects)
    told = told_of(analyze(build_world(subjects.configs)), subjects)
    assert {(each.code, each.object, each.line >= 12) for each in told} == {
        ("host-missing", "RouteRule/default/rule", True)
    }


ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: route
spec:
  parentRefs:
  - {group: "", kind: Service, name: reviews, port: 80}
  rules:
  - backendRefs:
    - {name: nosuch, port: 80}
"""


def test_what_is_wrong_with_routes_of_gateway_api_is_told_at_their_place() -> None:
    subjects = subjects_of(read_batch([("f.yaml", ROUTE)]).objects)
    told = told_of(analyze(build_world(subjects.configs, whole=True)), subjects)
    assert ("host-missing", "HTTPRoute/default/route") in {(each.code, each.object) for each in told}
    assert all(each.line >= 5 for each in told)


@pytest.mark.parametrize(
    ("words", "count"),
    [("*", 0), ("IST0101", 0), ("host-missing", 0), ("IST0109, IST0101", 0), ("IST0109", 1)],
)
def test_what_is_suppressed(words: str, count: int) -> None:
    spec: Json = {"hosts": ["a"], "http": [to("nosuch.example")]}
    rule = an_object("vs", "a", spec, {SUPPRESS: words})
    assert len(analyze(build_world([rule]))) == count


def test_the_order_of_objects_does_not_matter() -> None:
    configs = [routes(f"r{index}", [f"h{index % 3}.example"], to(f"x{index}.example")) for index in range(12)]
    wanted = analyze(build_world(configs))
    random.Random(1).shuffle(configs)
    assert analyze(build_world(configs)) == wanted
    assert {message.code for message in wanted} <= set(CODES)


CONTRADICTION = """\
apiVersion: authentication.istio.io/v1alpha1
kind: Policy
metadata: {name: strict}
spec: {targets: [{name: details}], peers: [{mtls: {}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: plain}
spec: {host: details, trafficPolicy: {tls: {mode: DISABLE}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: d, labels: {app: details}}
spec: {address: 10.0.0.1, labels: {app: details}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: details}
spec:
  hosts: [details.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 9080, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: details}}
"""


def test_a_converted_object_that_is_named_is_told_by_what_was_written() -> None:
    subjects = subjects_of(read_batch([("f.yaml", CONTRADICTION)]).objects)
    (told,) = told_of(analyze(build_world(subjects.configs)), subjects)
    assert (told.code, told.object) == ("mtls-conflict", "DestinationRule/default/plain")
    assert "PeerAuthentication/default/details-peers (made of Policy/default/strict) its" in told.message
