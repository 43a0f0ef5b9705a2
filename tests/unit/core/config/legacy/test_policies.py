"""Policies and versions of one host; whole files are golden cases."""

from immutables import Map

from proa.core.config.legacy.policies import Version, destination_rule, policies_of, versions_of
from proa.core.config.legacy.schema import (
    DestinationPolicy,
    DestinationWeight,
    IstioService,
    LoadBalancing,
    RouteRule,
    VersionPolicy,
)
from proa.core.model.names import ObjectRef

RULE, POLICY = ObjectRef("RouteRule", "default", "r"), ObjectRef("DestinationPolicy", "default", "p")
C = IstioService(name="c")
RANDOM = LoadBalancing(name="RANDOM")
HOST = "c.default.svc.cluster.local"


def test_versions_are_those_of_routes_and_mirrors_to_the_host() -> None:
    rule = RouteRule(
        destination=C,
        route=(
            DestinationWeight(labels=Map({"v": "a"})),
            DestinationWeight(destination=IstioService(name="d"), labels=Map({"v": "b"})),
            DestinationWeight(),
        ),
        mirror=IstioService(name="c", labels=Map({"v": "m"})),
    )
    assert [dict(each.labels) for each in versions_of(RULE, rule, HOST)] == [{"v": "a"}, {"v": "m"}]


def test_the_list_of_2017_is_several_policies() -> None:
    spec = DestinationPolicy(
        destination=C,
        policy=(
            VersionPolicy(load_balancing=RANDOM),
            VersionPolicy(labels=Map({"v": "a"}), load_balancing=LoadBalancing()),
        ),
    )
    found = list(policies_of(POLICY, spec))
    assert [dict(each.version.labels) for each in found] == [{}, {"v": "a"}]
    assert found[1].version.old == ("spec", "policy", 1)


def test_a_rule_with_nothing_to_say_has_a_host_alone() -> None:
    assert destination_rule("c", (), (), {})[0] == {"host": "c"}


def test_two_labels_with_one_name_are_told() -> None:
    versions = [
        Version(labels={"v": "1.0"}, source=RULE, old=("spec", "route", 0)),
        Version(labels={"v": "1-0"}, source=RULE, old=("spec", "route", 1)),
    ]
    spec, _, found = destination_rule("c", (), versions, {})
    assert spec["subsets"] == [{"name": "v-1-0", "labels": {"v": "1.0"}}]
    assert [(ref, finding.path, finding.code) for ref, finding in found] == [
        (RULE, ("spec", "route", 1), "conflict")
    ]


def test_a_client_is_a_selector() -> None:
    assert destination_rule("c", (), (), {"app": "a"})[0]["workloadSelector"] == {"matchLabels": {"app": "a"}}
