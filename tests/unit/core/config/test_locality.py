"""What makes sense in `localityLbSetting`, and what it comes to."""

import pytest

from proa.core.config import Json
from proa.core.config.fields import shape_of
from proa.core.config.locality import (
    DISTRIBUTION_ANNOTATION,
    LocalityLbSetting,
    check_distribution,
    check_locality,
    distribution_of,
    locality_setting,
)
from proa.core.config.path import path_text
from proa.core.model.locality import LocalitySetting, Shares


def read(value: Json) -> LocalityLbSetting:
    found: list[object] = []
    spec = shape_of(LocalityLbSetting).read(value, (), found)  # type: ignore[arg-type]  # only collected
    assert isinstance(spec, LocalityLbSetting)
    assert not found
    return spec


def judged(value: Json, *, ejects: bool = True) -> list[str]:
    return [f"{path_text(each.path)} {each.code}" for each in check_locality(read(value), (), ejects=ejects)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({}, []),
        ({"distribute": [{"from": "eu/*", "to": {"eu/a": 80, "us": 20}}]}, []),
        ({"distribute": [{"from": "*", "to": {"us": 100}}]}, []),
        ({"distribute": [{"from": "eu", "to": {"us": 99}}]}, ["distribute[0].to bad-value"]),
        (
            {"distribute": [{"from": "eu/", "to": {"us/a/b/c": 100}}]},
            ["distribute[0].from bad-value", "distribute[0].to[us/a/b/c] bad-value"],
        ),
        ({"distribute": [{"from": "e*", "to": {"us": 100}}]}, ["distribute[0].from bad-value"]),
        ({"distribute": [{"from": "*/a", "to": {"us": 100}}]}, ["distribute[0].from bad-value"]),
        (
            {"distribute": [{"from": "eu", "to": {"us": 100}}, {"from": "eu/a", "to": {"us": 100}}]},
            ["distribute[1].from conflict"],
        ),
        (
            {"distribute": [{"from": "eu", "to": {"us/*": 50, "us/b": 50}}]},
            ["distribute[0].to[us/b] conflict"],
        ),
        ({"distribute": [{"from": "eu", "to": {"us/a": 50, "us/b": 50}}]}, []),
        ({"failover": [{"from": "eu", "to": "us"}]}, []),
        ({"failover": [{"from": "eu", "to": "eu"}]}, ["failover[0] bad-value"]),
        (
            {"failover": [{"from": "eu/a", "to": "*"}]},
            ["failover[0].from bad-value", "failover[0].to bad-value"],
        ),
        (
            {"failover": [{"from": "eu", "to": "us"}, {"from": "eu", "to": "asia"}]},
            ["failover[1].from no-effect"],
        ),
        ({"failoverPriority": ["version=v1", "topology.kubernetes.io/zone"]}, []),
        (
            {"failoverPriority": ["a b", "c", "c=d"]},
            ["failoverPriority[0] bad-value", "failoverPriority[2] duplicate"],
        ),
        ({"failoverPriority": [f"l{number}" for number in range(25)]}, ["failoverPriority out-of-range"]),
        (
            {"failover": [{"from": "eu", "to": "us"}], "failoverPriority": ["topology.kubernetes.io/zone"]},
            ["failoverPriority conflict"],
        ),
        (
            {"distribute": [{"from": "eu", "to": {"us": 100}}], "failoverPriority": ["a"]},
            [" conflict"],
        ),
    ],
)
def test_what_makes_no_sense(value: Json, found: list[str]) -> None:
    assert judged(value) == found


def test_without_ejection_there_is_no_failover() -> None:
    failover: Json = {"failover": [{"from": "eu", "to": "us"}], "failoverPriority": ["a"]}
    assert judged(failover, ejects=False) == ["failover no-effect", "failoverPriority no-effect"]
    assert judged({"distribute": [{"from": "eu", "to": {"us": 100}}]}, ejects=False) == []
    assert judged({"enabled": False, "failoverPriority": ["a"]}, ejects=False) == []


def test_in_the_models_words() -> None:
    assert locality_setting(read({})) == LocalitySetting()
    said: Json = {"enabled": False, "distribute": [{"from": "eu", "to": {"us": 40, "eu": 60}}]}
    assert locality_setting(read(said)) == LocalitySetting(
        enabled=False, shares=(Shares(origin="eu", to=(("eu", 60), ("us", 40))),)
    )
    said = {"failover": [{"from": "eu", "to": "us"}], "failoverPriority": ["a=b"]}
    assert locality_setting(read(said)) == LocalitySetting(failover=(("eu", "us"),), priority=("a=b",))


@pytest.mark.parametrize("word", ["PreferClose", "PreferSameZone"])
def test_a_service_may_ask_for_near_ones(word: str) -> None:
    annotations = {DISTRIBUTION_ANNOTATION: word}
    assert distribution_of(annotations) == "PreferSameZone"
    assert list(check_distribution(annotations)) == []


def test_what_a_service_cannot_ask_for() -> None:
    assert distribution_of({}) == ""
    assert list(check_distribution({})) == []
    for word, code in (("PreferSameNode", "not-supported-yet"), ("Any", "bad-value")):
        (found,) = check_distribution({DISTRIBUTION_ANNOTATION: word})
        assert found.code == code
