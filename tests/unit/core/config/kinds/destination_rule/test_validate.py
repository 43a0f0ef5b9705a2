from proa.core.config import Json
from tests.unit.core.config.judged import judge


def policy(value: Json) -> list[str]:
    return [
        place.removeprefix("spec.trafficPolicy")
        for place in judge("dr", {"host": "a", "trafficPolicy": value})
    ]


def test_hosts() -> None:
    assert judge("dr", {"host": "*.example.com"}) == []
    assert judge("dr", {}) == ["spec.host required"]
    assert judge("dr", {"host": ""}) == ["spec.host bad-value"]


def test_subsets_have_unique_names() -> None:
    subsets: Json = [{"name": "v1"}, {"name": "v1"}, {"name": "V_2"}]
    assert judge("dr", {"host": "a", "subsets": subsets}) == [
        "spec.subsets[1].name duplicate",
        "spec.subsets[2].name bad-value",
    ]


def test_a_policy_says_something() -> None:
    assert policy({"loadBalancer": {}}) == []
    assert policy({}) == [" required"]
    assert policy({"connectionPool": {}}) == [".connectionPool required"]
    assert policy({"tunnel": {"targetHost": "a", "targetPort": 1}}) == []
    assert policy({"proxyProtocol": {}}) == []


def test_a_subsets_policy_is_judged_too() -> None:
    subsets: Json = [{"name": "v1", "trafficPolicy": {}}]
    assert judge("dr", {"host": "a", "subsets": subsets}) == ["spec.subsets[0].trafficPolicy required"]


def test_tls() -> None:
    assert policy({"tls": {"mode": "SIMPLE", "sni": "a.com", "subjectAltNames": ["a.com"]}}) == []
    assert policy({"tls": {"mode": "SIMPLE", "sni": "a b", "subjectAltNames": [""]}}) == [
        ".tls.sni bad-value",
        ".tls.subjectAltNames[0] bad-value",
    ]
    assert policy({"tls": {"sni": "a.com"}}) == [".tls no-effect"]


def test_old_names_are_warned_about() -> None:
    assert policy({"loadBalancer": {"simple": "LEAST_CONN"}}) == [".loadBalancer.simple deprecated"]
    assert policy({"outlierDetection": {"consecutiveErrors": 3}}) == [
        ".outlierDetection.consecutiveErrors deprecated"
    ]


def test_a_rule_for_some_workloads_stays_at_home() -> None:
    selector: Json = {"matchLabels": {"app": "a"}}
    for own in ([], ["."], ["default"]):
        exported: Json = [*own]
        assert judge("dr", {"host": "a", "workloadSelector": selector, "exportTo": exported}) == []
    for wide in (["*"], ["shop"]):
        exported = [*wide]
        found = judge("dr", {"host": "a", "workloadSelector": selector, "exportTo": exported})
        assert found == ["spec.exportTo conflict"]
    assert judge("dr", {"host": "a", "workloadSelector": {"matchLabels": {"app": "*"}}}) == [
        "spec.workloadSelector.matchLabels.app bad-value"
    ]
