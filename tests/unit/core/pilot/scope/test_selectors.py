"""Labels that rules ask of their clients."""

from immutables import Map

from proa.core.config.kinds.virtual_service.schema import HttpMatch, HttpRoute, VirtualService
from proa.core.pilot.scope.selectors import labels_of, selectors_of, worn


def test_selectors_are_those_of_all_rules() -> None:
    matches = (
        HttpMatch(source_labels=Map({"b": "2", "a": "1"})),
        HttpMatch(source_namespace="shop"),
        HttpMatch(source_labels=Map({"a": "1"})),
    )
    spec = VirtualService(hosts=("c",), http=(HttpRoute(match=matches[:2]), HttpRoute(match=matches[2:])))
    assert selectors_of(spec) == {(("a", "1"), ("b", "2")), (("a", "1"),)}


def test_a_workload_wears_what_its_labels_answer() -> None:
    one, both = labels_of({"a": "1"}), labels_of({"a": "1", "b": "2"})
    assert worn((one, both), {"a": "1", "c": "3"}) == {one}
    assert worn((one, both), {"a": "1", "b": "2"}) == {one, both}
    assert worn((one, both), {}) == frozenset()
