"""Which endpoints are before which, for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.config.fields import shape_of
from proa.core.config.kinds.destination_rule.schema import TrafficPolicy
from proa.core.config.tree import Json
from proa.core.model.locality import LocalitySetting, Place, Shares, Standpoint
from proa.core.model.settings import MeshSettings
from proa.core.pilot.translate.nearness import (
    SAME_ZONE,
    Nearness,
    Preference,
    arrange,
    nearness_of,
    preference_of,
)
from proa.testing.builders import endpoint, service

EVERYWHERE = ("eu/a/1", "eu/a/2", "eu/b", "us/a", "asia", "")
HERE = Standpoint(locality="eu/a/1", labels=Map({"version": "v1"}))


def policy(**said: Json) -> TrafficPolicy:
    spec = shape_of(TrafficPolicy).read(dict(said), (), [])
    assert isinstance(spec, TrafficPolicy)
    return spec


def tiers(setting: LocalitySetting, client: Standpoint, *localities: str) -> list[list[str]]:
    """Localities by tier."""
    members = tuple(endpoint(f"10.0.0.{n}", locality=each) for n, each in enumerate(localities, start=1))
    found: dict[int, list[str]] = {}
    for group in arrange(members, preference_of(Nearness(setting=setting), client)):
        found.setdefault(group.tier, []).append(group.locality)
    assert sorted(found) == list(range(len(found))), "Envoy takes no gaps"
    return [sorted(found[tier]) for tier in sorted(found)]


def test_the_nearest_first() -> None:
    assert tiers(LocalitySetting(), HERE, *EVERYWHERE) == [
        ["eu/a/1"],
        ["eu/a/2"],
        ["eu/b"],
        ["", "asia", "us/a"],
    ]


def test_a_region_may_fail_over_to_another() -> None:
    setting = LocalitySetting(failover=(("asia", "eu"), ("eu", "us")))
    assert tiers(setting, HERE, *EVERYWHERE)[3:] == [["us/a"], ["", "asia"]]
    assert tiers(setting, Standpoint(locality="asia"), "eu/a", "us/a") == [["eu/a"], ["us/a"]]
    assert tiers(setting, Standpoint(locality="us"), "asia", "eu/a") == [["asia", "eu/a"]]


def test_who_stands_nowhere_has_no_near_ones() -> None:
    for setting in (LocalitySetting(), SAME_ZONE):
        found = preference_of(Nearness(setting=setting), Standpoint())
        assert found is None or found.place is None
    assert tiers(LocalitySetting(), Standpoint(), *EVERYWHERE) == [sorted(EVERYWHERE)]
    assert tiers(SAME_ZONE, Standpoint(), *EVERYWHERE) == [sorted(EVERYWHERE)]


def test_labels_in_their_order() -> None:
    setting = LocalitySetting(priority=("version", "topology.kubernetes.io/region"))
    members = tuple(
        endpoint(f"10.0.0.{n}", locality=place, labels={"version": version})
        for n, (version, place) in enumerate((("v1", "eu/a"), ("v1", "us"), ("v2", "eu/a")), start=1)
    )
    groups = arrange(members, preference_of(Nearness(setting=setting), HERE))
    assert [(group.tier, group.endpoints[0].address) for group in groups] == [
        (0, "10.0.0.1"),
        (1, "10.0.0.2"),
        (2, "10.0.0.3"),
    ]
    fixed = preference_of(Nearness(setting=LocalitySetting(priority=("version=v2",))), HERE)
    assert arrange(members, fixed)[0].endpoints == (members[2],)


def test_labels_come_before_distance() -> None:
    setting = LocalitySetting(priority=("version",), failover=(("eu", "us"),))
    members = (
        endpoint("10.0.0.1", locality="eu/a/1", labels={"version": "v2"}),
        endpoint("10.0.0.2", locality="asia", labels={"version": "v1"}),
        endpoint("10.0.0.3", locality="us", labels={"version": "v1"}),
    )
    groups = arrange(members, preference_of(Nearness(setting=setting), HERE))
    assert [group.endpoints[0].address for group in groups] == ["10.0.0.3", "10.0.0.2", "10.0.0.1"]


def test_the_network_is_a_label_too() -> None:
    client = Standpoint(locality="eu/a", network="n1")
    wanted = preference_of(Nearness(setting=SAME_ZONE), client)
    assert wanted is not None
    assert [value for _, value in wanted.labels] == ["n1", "eu", "a"]


def test_shares_of_places() -> None:
    shares = (Shares(origin="eu/*", to=(("eu/a/*", 80), ("us", 20))), Shares(origin="us", to=(("us", 100),)))
    nearness = Nearness(setting=LocalitySetting(shares=shares))
    members = tuple(
        endpoint(f"10.0.0.{n}", locality=place, weight=weight)
        for n, (place, weight) in enumerate((("eu/a/1", 1), ("eu/a/2", 3), ("eu/b", 1), ("us/x", 7)), start=1)
    )
    groups = arrange(members, preference_of(nearness, HERE))
    assert {group.locality: group.weight for group in groups} == {
        "eu/a/1": 20_000,
        "eu/a/2": 60_000,
        "us/x": 20_000,
    }
    assert {group.tier for group in groups} == {0}
    assert preference_of(nearness, Standpoint(locality="asia")) is None


def test_clients_that_a_rule_does_not_tell_apart_prefer_the_same() -> None:
    shares = LocalitySetting(shares=(Shares(origin="eu", to=(("us", 100),)),))
    by_label = LocalitySetting(priority=("version",))
    for setting in (shares, by_label):
        found = {
            preference_of(Nearness(setting=setting), Standpoint(locality=place, labels=HERE.labels))
            for place in ("eu/a", "eu/b/7")
        }
        assert len(found) == 1
    assert preference_of(Nearness(setting=LocalitySetting()), HERE) == Preference(place=Place("eu", "a", "1"))


@pytest.mark.parametrize(
    ("said", "has"),
    [
        (policy(), False),
        (policy(outlierDetection={}), True),
        (policy(loadBalancer={"localityLbSetting": {}}), False),
        (policy(loadBalancer={"localityLbSetting": {}}, outlierDetection={}), True),
        (policy(loadBalancer={"localityLbSetting": {"enabled": False}}, outlierDetection={}), False),
        (policy(loadBalancer={"localityLbSetting": {"distribute": [{"from": "a", "to": {"b": 100}}]}}), True),
    ],
)
def test_nobody_leaves_the_nearest_without_ejection(said: TrafficPolicy, has: bool) -> None:
    assert (nearness_of(said, service("a.default"), MeshSettings()) is not None) == has


def test_who_decides() -> None:
    """A DestinationRule, the service, the mesh."""
    mesh = MeshSettings(locality=LocalitySetting(priority=("mesh",)))
    plain = service("a.default")
    near = type(plain)(
        **{**{f: getattr(plain, f) for f in plain.__struct_fields__}, "distribution": "PreferSameZone"}
    )
    ruled = policy(loadBalancer={"localityLbSetting": {"failoverPriority": ["rule"]}}, outlierDetection={})
    for said, about, expected in (
        (ruled, near, ("rule",)),
        (policy(outlierDetection={}), near, SAME_ZONE.priority),
        (policy(), near, SAME_ZONE.priority),
        (policy(outlierDetection={}), plain, ("mesh",)),
    ):
        found = nearness_of(said, about, mesh)
        assert found is not None
        assert found.setting.priority == expected
    off = MeshSettings(locality=LocalitySetting(enabled=False))
    assert nearness_of(policy(outlierDetection={}), plain, off) is None


_places = st.sampled_from(("", "eu", "eu/a", "eu/b/1", "us/a", "asia/x/y"))
_settings = st.one_of(
    st.builds(
        LocalitySetting,
        failover=st.sampled_from(((), (("eu", "us"),))),
        priority=st.sampled_from(((), ("version", "topology.kubernetes.io/zone"), ("version=v2",))),
    ),
)


@given(_settings, _places, st.lists(st.tuples(_places, st.sampled_from(("v1", "v2")), st.integers(1, 5))))
def test_tiers_lose_nobody_and_leave_no_gap(
    setting: LocalitySetting, where: str, told: list[tuple[str, str, int]]
) -> None:
    members = tuple(
        endpoint(f"10.0.0.{n}", locality=place, labels={"version": version}, weight=weight)
        for n, (place, version, weight) in enumerate(told)
    )
    client = Standpoint(locality=where, labels=Map({"version": "v1"}))
    groups = arrange(members, preference_of(Nearness(setting=setting), client))
    assert sorted(each for group in groups for each in group.endpoints) == sorted(members)
    assert sorted({group.tier for group in groups}) == list(range(len({group.tier for group in groups})))
    assert len({(group.tier, group.locality) for group in groups}) == len(groups)
    assert sum(group.weight for group in groups) == sum(each.weight for each in members)
