"""Which rules are for whom; what it makes of requests is asked by simulation."""

import pytest
from immutables import Map

from proa.core.config.kinds.virtual_service.schema import HttpMatch, HttpRoute, VirtualService
from proa.core.model.names import ObjectRef
from proa.core.pilot.scope.clients import Client, gateway_served, rules_for, served_to
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.selectors import labels_of
from proa.core.pilot.scope.views import Rules, gateway_view, host_view
from proa.testing.builders import Mesh, registration, simple

V1 = Map({"version": "v1"})
REF = ObjectRef("VirtualService", "default", "c")


def rules(*matches: tuple[HttpMatch, ...]) -> Rules:
    http = tuple(HttpRoute(name=str(number), match=match) for number, match in enumerate(matches))
    return Rules(ref=REF, spec=VirtualService(hosts=("c",), http=http))


@pytest.mark.parametrize(
    ("client", "skipped"),
    [
        (Client(Scope("default")), {0, 1, 2}),
        (Client(Scope("default"), frozenset([labels_of(V1)])), {1, 2}),
        (Client(Scope("shop")), {0, 2}),
        (Client(Scope("shop"), frozenset([labels_of(V1)])), set[int]()),
    ],
)
def test_rules_for_others_are_skipped_and_keep_their_numbers(client: Client, skipped: set[int]) -> None:
    whole = rules(
        (HttpMatch(source_labels=V1),),
        (HttpMatch(source_namespace="shop"),),
        (HttpMatch(source_labels=V1, source_namespace="shop"),),
        (),
    )
    found = rules_for(whole, client)
    assert found.skipped == skipped
    assert [rule.name for rule in found.spec.http] == ["0", "1", "2", "3"]


def test_of_several_conditions_those_for_the_client_are_left() -> None:
    post = HttpMatch(name="post")
    whole = rules((HttpMatch(name="v1", source_labels=V1), post))
    (rule,) = rules_for(whole, Client(Scope("default"))).spec.http
    assert rule.match == (post,)
    (rule,) = rules_for(whole, Client(Scope("default"), frozenset([labels_of(V1)]))).spec.http
    assert rule.match == (HttpMatch(name="v1"), post)


def test_rules_that_ask_nothing_are_left_as_they_are() -> None:
    plain = rules((HttpMatch(name="a"),), ())
    assert rules_for(plain, Client(Scope("default"))) is plain


EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: {selector: {istio: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: c}
spec:
  hosts: [c]
  gateways: [door, mesh]
  http:
  - match: [{sourceLabels: {istio: edge}}]
    redirect: {uri: /edge}
  - route: [{destination: {host: c}}]
"""


def test_views_are_served_by_client() -> None:
    mesh = Mesh(simple("c"), registration("edge", kind="gateway", labels={"istio": "edge"}))
    mesh.apply(EDGE)
    snapshot, index = mesh.world.snapshot, mesh.world.index
    view = host_view(snapshot, index, Scope("default"), "c.default.svc.cluster.local")
    assert view is not None
    served = served_to(view, Client(Scope("default")))
    assert served.rules is not None
    assert served.rules.skipped == {0}
    workload = next(each for each in snapshot.workloads.values() if each.kind == "gateway")
    (at_edge,) = gateway_served(gateway_view(snapshot, index, workload)).rules
    assert at_edge.skipped == frozenset()
