from immutables import Map

from proa.core.config import Json
from proa.core.config.analyze.destinations import check_destinations, sent_by
from proa.core.config.analyze.world import Known
from proa.core.config.kinds.virtual_service.schema import VirtualService
from tests.unit.core.config.analyze.finding import an_object, entry, find, routes, to

HOST = "spec.http[0].route[0].destination"


def test_a_host_outside_the_mesh_that_nobody_has() -> None:
    found = find(check_destinations, [routes("a", ["x"], to("nosuch.example")), entry("b", "such.example")])
    assert found == [f"host-missing a {HOST}.host"]


def test_a_host_of_the_mesh_may_come_with_a_program_unless_all_is_known() -> None:
    rule = routes("a", ["x"], to("reviews"))
    assert find(check_destinations, [rule]) == []
    assert find(check_destinations, [rule], whole=True) == [f"host-missing a {HOST}.host"]


def test_a_wildcard_has_the_hosts_it_covers() -> None:
    rules = [routes("a", ["x"], to("a.b.example")), entry("b", "*.b.example", resolution="NONE")]
    assert find(check_destinations, rules) == []


def test_subsets() -> None:
    rule = routes("a", ["x"], to("reviews", subset="v1"))
    policy = an_object("dr", "b", {"host": "reviews", "subsets": [{"name": "v1", "labels": {"v": "1"}}]})
    assert find(check_destinations, [rule, policy]) == []
    assert find(check_destinations, [rule]) == [f"subset-missing a {HOST}.subset"]


def test_a_subset_of_a_rule_for_many_hosts() -> None:
    rule = routes("a", ["x"], to("a.b.example", subset="v1"))
    policy = an_object("dr", "b", {"host": "*.b.example", "subsets": [{"name": "v1", "labels": {"v": "1"}}]})
    assert find(check_destinations, [rule, policy, entry("c", "a.b.example")]) == []


def test_ports() -> None:
    several = entry("b", "b.example", "HTTP", "TCP")
    assert find(check_destinations, [routes("a", ["x"], to("b.example")), several]) == [
        f"port-needed a {HOST}"
    ]
    absent = routes("a", ["x"], to("b.example", port={"number": 99}))
    assert find(check_destinations, [absent, several]) == [f"port-missing a {HOST}.port.number"]
    bytes_ = routes("a", ["x"], to("b.example", port={"number": 81}))
    assert find(check_destinations, [bytes_, several]) == [f"protocol-mismatch a {HOST}"]
    fine = routes("a", ["x"], to("b.example", port={"number": 80}))
    assert find(check_destinations, [fine, several]) == []


def test_rules_for_requests_to_a_host_without_requests() -> None:
    rules = [
        routes("a", ["b.example"], to("c.example")),
        entry("b", "b.example", "TCP"),
        entry("c", "c.example"),
    ]
    assert find(check_destinations, rules) == ["protocol-mismatch a spec.hosts[0]"]


def test_a_destination_that_nobody_sees_who_sees_the_rule() -> None:
    hidden = entry("other/b", "b.example", exportTo=["."])
    assert find(check_destinations, [routes("a", ["x"], to("b.example"), exportTo=["."]), hidden]) == [
        f"destination-unseen a {HOST}.host"
    ]
    assert find(check_destinations, [routes("a", ["x"], to("b.example")), hidden]) == []


def test_a_policy_for_a_host_that_is_not_there_or_not_seen() -> None:
    policy = an_object("dr", "a", {"host": "b.example", "exportTo": ["."]})
    assert find(check_destinations, [policy]) == ["host-missing a spec.host"]
    hidden = entry("other/b", "b.example", exportTo=["."])
    assert find(check_destinations, [policy, hidden]) == ["rule-unseen a spec.exportTo"]


def test_a_subset_without_endpoints() -> None:
    subsets: list[Json] = [{"name": "v1", "labels": {"v": "1"}}, {"name": "v2", "labels": {"v": "2"}}]
    policy = an_object("dr", "a", {"host": "reviews", "subsets": [*subsets]})
    host = "reviews.default.svc.cluster.local"
    known = Known(host=host, namespace="default", ports={80: "HTTP"}, instances=(Map({"v": "1"}),))
    assert find(check_destinations, [policy], [known]) == ["subset-selects-nothing a spec.subsets[1].labels"]


def test_a_sidecar_that_imports_what_nobody_has() -> None:
    sidecar = an_object("sidecar", "a", {"egress": [{"hosts": ["./*", "*/nosuch.example", "*/b.example"]}]})
    assert find(check_destinations, [sidecar, entry("b", "b.example")]) == [
        "host-missing a spec.egress[0].hosts[1]"
    ]


def test_all_destinations_are_seen() -> None:
    spec = an_object(
        "vs",
        "a",
        {
            "hosts": ["x"],
            "http": [
                {**to("a"), "mirror": {"host": "b"}},
                {**to("c"), "mirrors": [{"destination": {"host": "d"}}]},
            ],
            "tls": [{"match": [{"sniHosts": ["x"]}], **to("e")}],
            "tcp": [to("f")],
        },
    ).spec
    assert isinstance(spec, VirtualService)
    sent = {each.destination.host: each.of_requests for each in sent_by(spec)}
    assert sent == {"a": True, "b": True, "c": True, "d": True, "e": False, "f": False}
