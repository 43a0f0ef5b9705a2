from proa.core.config import Json
from proa.core.config.analyze.owners import check_owners
from tests.unit.core.config.analyze.finding import an_object, entry, find, routes


def test_two_objects_of_rules_for_one_host() -> None:
    rules = [
        routes("a", ["reviews"]),
        routes("b", ["reviews.default.svc.cluster.local"]),
        routes("c", ["other"]),
    ]
    assert find(check_owners, rules) == ["hosts-conflict b spec.hosts[0]"]


def test_rules_that_no_namespace_sees_together() -> None:
    one = routes("one/a", ["a.example"], exportTo=["."])
    two = routes("two/b", ["a.example"], exportTo=["."])
    assert find(check_owners, [one, two]) == []
    everywhere = routes("zero/z", ["a.example"])
    assert find(check_owners, [one, two, everywhere]) == [
        "hosts-conflict a spec.hosts[0]",
        "hosts-conflict b spec.hosts[0]",
        "hosts-conflict z spec.hosts[0]",
    ]


def test_at_gateways_rules_are_joined() -> None:
    rules = [routes("a", ["a.example"], gateways=["g"]), routes("b", ["a.example"], gateways=["g"])]
    assert find(check_owners, rules) == []


def test_policies_and_subsets_of_one_host() -> None:
    policy: Json = {"tls": {"mode": "ISTIO_MUTUAL"}}
    subset: list[Json] = [{"name": "v1", "labels": {"v": "1"}}]
    rules = [
        an_object("dr", "a", {"host": "reviews", "trafficPolicy": policy, "subsets": [*subset]}),
        an_object("dr", "b", {"host": "reviews", "trafficPolicy": policy, "subsets": [*subset]}),
        an_object("dr", "c", {"host": "reviews", "subsets": [{"name": "v2", "labels": {"v": "2"}}]}),
        an_object(
            "dr",
            "e",
            {
                "host": "reviews",
                "trafficPolicy": policy,
                "workloadSelector": {"matchLabels": {"app": "some"}},
            },
        ),
        an_object("dr", "other/d", {"host": "reviews.default.svc.cluster.local", "trafficPolicy": policy}),
    ]
    assert find(check_owners, rules) == [
        "destination-rules-overlap b spec.subsets[0].name",
        "destination-rules-overlap b spec.trafficPolicy",
    ]


def test_a_host_of_two_namespaces() -> None:
    assert find(check_owners, [entry("one/a", "a.example"), entry("one/b", "a.example")]) == []
    assert find(check_owners, [entry("one/a", "a.example"), entry("two/b", "A.example")]) == [
        "host-declared-twice b spec.hosts[0]"
    ]
    hidden = [entry("one/a", "a.example", exportTo=["."]), entry("two/b", "a.example", exportTo=["."])]
    assert find(check_owners, hidden) == []
