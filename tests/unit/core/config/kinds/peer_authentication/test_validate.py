from proa.core.config import Json
from tests.unit.core.config.judged import judge

PORTS: Json = {"8080": {"mode": "DISABLE"}}


def test_modes_of_ports_need_a_selector() -> None:
    assert judge("pa", {"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": PORTS}) == []
    assert judge("pa", {"selector": {}, "portLevelMtls": PORTS}) == ["spec.portLevelMtls conflict"]
    assert judge("pa", {"portLevelMtls": PORTS}) == ["spec.portLevelMtls conflict"]


def test_an_empty_one_says_nothing_and_is_fine() -> None:
    assert judge("pa", {}) == []
    assert judge("pa", {"mtls": {"mode": "STRICT"}, "selector": {"matchLabels": {}}}) == []


def test_selectors_know_no_wildcard() -> None:
    assert judge("pa", {"selector": {"matchLabels": {"app": "*"}}}) == [
        "spec.selector.matchLabels.app bad-value"
    ]
