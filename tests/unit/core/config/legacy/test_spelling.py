"""Old spellings; what they become is a golden case of tests/golden/legacy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config import load_all
from proa.core.config.legacy.spelling import respell, written_path
from proa.core.config.tree import Json

TODAY: list[dict[str, Json]] = [
    {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": {}},
    {"apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService", "spec": {"http": [{}]}},
    {"apiVersion": "config.istio.io/v1alpha2", "kind": "RouteRule", "spec": {"destination": {"name": "c"}}},
    {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": []}},
    {"kind": 3},
    {},
]


@pytest.mark.parametrize("value", TODAY)
def test_what_is_spelled_well_is_left_alone(value: dict[str, Json]) -> None:
    assert respell(value) is None


def test_2017() -> None:
    found = respell({"type": "route-rule", "name": "a", "spec": {"destination": "c.d"}})
    assert found is not None
    assert found.value == {
        "apiVersion": "config.istio.io/v1alpha2",
        "kind": "RouteRule",
        "metadata": {"name": "a"},
        "spec": {"destination": {"service": "c.d"}},
    }
    assert written_path(found.moved, ("spec", "destination", "service")) == ("spec", "destination")
    assert written_path(found.moved, ("metadata", "name")) == ("name",)


def test_snake_case_is_of_fields_and_not_of_names() -> None:
    headers: Json = {"user_agent": {"exact": "x"}}
    spec: Json = {
        "http_req_timeout": {"simple_timeout": {"timeout": "1s"}},
        "match": {"request": {"headers": headers}},
    }
    found = respell({"apiVersion": "config.istio.io/v1alpha2", "kind": "RouteRule", "spec": spec})
    assert found is not None
    assert found.value["spec"] == {
        "httpReqTimeout": {"simpleTimeout": {"timeout": "1s"}},
        "match": {"request": {"headers": headers}},
    }
    path = ("spec", "httpReqTimeout", "simpleTimeout", "timeout")
    assert written_path(found.moved, path) == ("spec", "http_req_timeout", "simple_timeout", "timeout")


PREVIEW = """\
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: c}
spec:
  hosts: [c]
  http:
  - route:
    - destination: {name: c, subset: v1}
    websocketUpgrade: true
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: c}
spec:
  name: c
  trafficPolicy:
    outlierDetection: {http: {maxEjectionPercent: 500, interval: 1s}}
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: reviews
  subsets:
  - name: v1
    labels: {version: v1}
"""


def test_the_first_months_of_v1alpha3() -> None:
    loaded = load_all(PREVIEW, "f")
    assert [str(config.ref) for config in loaded.configs] == [
        "VirtualService/default/c",
        "DestinationRule/default/reviews",
    ]
    told = {(problem.line, problem.path, problem.severity) for problem in loaded.problems}
    assert told == {
        (9, "spec.http[0].websocketUpgrade", "warning"),
        (17, "spec.trafficPolicy.outlierDetection.http.maxEjectionPercent", "error"),
        (23, "metadata.subsets", "warning"),
    }


def test_headers_of_2018() -> None:
    rule: Json = {"appendHeaders": {"a": "b"}, "removeResponseHeaders": {"c": ""}}
    value: dict[str, Json] = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService"}
    found = respell({**value, "spec": {"http": [rule]}})
    assert found is not None
    assert found.value["spec"] == {
        "http": [{"headers": {"request": {"add": {"a": "b"}}, "response": {"remove": ["c"]}}}]
    }


def test_backends_of_v1beta1() -> None:
    spec: Json = {"backend": {"serviceName": "a", "servicePort": "http"}}
    found = respell({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "spec": spec})
    assert found is not None
    assert found.value["apiVersion"] == "networking.k8s.io/v1"
    assert found.value["spec"] == {"defaultBackend": {"service": {"name": "a", "port": {"name": "http"}}}}
    path = ("spec", "defaultBackend", "service", "port", "name")
    assert written_path(found.moved, path) == ("spec", "backend", "servicePort")


WORDS = st.sampled_from(
    ["route-rule", "RouteRule", "Ingress", "VirtualService", "DestinationRule", "config.istio.io/v1alpha2",
     "networking.istio.io/v1alpha3", "extensions/v1beta1"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["type", "kind", "apiVersion", "name", "metadata", "spec", "destination", "route", "match", "policy", "tags",
     "httpHeaders", "sourceTags", "source", "http", "mirror", "trafficPolicy", "outlierDetection", "subsets",
     "backend", "serviceName", "servicePort", "rules", "paths", "appendHeaders", "load_balancing", "loadBalancing"]
)  # fmt: skip
TREES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(NAMES, TREES, max_size=8), WORDS, WORDS)
def test_no_shape_of_document_is_too_much(value: dict[str, Json], version: str, kind: str) -> None:
    whole = {"apiVersion": version, "kind": kind, **value}
    before = repr(whole)
    found = respell(whole)
    assert repr(whole) == before, "the document itself is left as it is"
    if found is not None:
        again = respell(found.value)
        assert again is None or not again.findings or again.value == found.value or again.moved
