from immutables import Map

from proa.core.config.analyze.world import Known, are_common, build_world
from tests.unit.core.config.analyze.finding import an_object, entry, worker


def test_a_service_of_the_mesh_counts_before_an_entry() -> None:
    known = Known(host="a.example", namespace="default", ports={1: "TCP"})
    world = build_world([entry("a", "a.example"), entry("b", "B.example")], [known])
    assert world.hosts["a.example"] is known
    assert world.hosts["b.example"].ports == {80: "HTTP"}


def test_wildcards_cover_hosts_the_longest_first() -> None:
    entries = [
        entry("a", "*.example", resolution="NONE"),
        entry("b", "*.b.example", resolution="NONE"),
        entry("c", "*x", resolution="NONE"),
    ]
    world = build_world(entries)
    found = {
        host: known.host for host in ("a.example", "a.b.example", "ax", "y") if (known := world.find(host))
    }
    assert found == {"a.example": "*.example", "a.b.example": "*.b.example", "ax": "*x"}


def test_endpoints_that_are_listed_have_labels() -> None:
    listed = entry("a", "a.example", endpoints=[{"address": "b.example", "labels": {"v": "1"}}])
    world = build_world([listed, entry("b", "b.example")])
    assert world.hosts["a.example"].instances == (Map({"v": "1"}),)
    assert world.hosts["b.example"].instances is None


def test_policies_of_a_host_and_of_wildcards_over_it() -> None:
    rules = [an_object("dr", "a", {"host": "a.b.example"}), an_object("dr", "b", {"host": "*.example"})]
    world = build_world([*rules, an_object("dr", "c", {"host": "c.example"})])
    assert [rule.meta.name for rule in world.rules_for("a.b.example")] == ["a", "b"]


def test_what_may_exist_unless_all_is_known() -> None:
    host = "a.default.svc.cluster.local"
    assert build_world([]).may_exist(host)
    assert not build_world([]).may_exist("a.example")
    assert not build_world([], whole=True).may_exist(host)


def test_inhabited_namespaces() -> None:
    assert build_world([]).inhabited is None
    assert build_world([], workers=(worker("a"), worker("a"))).inhabited == frozenset(["a"])


def test_namespaces_in_common() -> None:
    assert are_common(("*",), ("a",))
    assert are_common(("a", "b"), ("b",))
    assert not are_common(("a",), ("b",))
    assert not are_common(("*",), ())
