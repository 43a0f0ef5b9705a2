from proa.core.config import Json
from tests.unit.core.config.judged import judge

TO: Json = [{"destination": {"host": "a"}}]


def tls(*hosts: str, match: Json = None, route: Json = TO) -> list[str]:
    rule: dict[str, Json] = {
        "match": match if match is not None else [{"sniHosts": [*hosts]}],
        "route": route,
    }
    spec: Json = {"hosts": ["a.example.com", "*.b.example.com"], "tls": [rule]}
    return [place.removeprefix("spec.tls[0].") for place in judge("vs", spec)]


def tcp(match: Json = None, route: Json = TO) -> list[str]:
    rule: dict[str, Json] = {"route": route} if match is None else {"match": [match], "route": route}
    return [place.removeprefix("spec.tcp[0].") for place in judge("vs", {"hosts": ["a"], "tcp": [rule]})]


def test_names_lie_in_the_rules_hosts() -> None:
    assert tls("a.example.com", "*.b.example.com", "x.b.example.com", "A.example.com") == []
    assert tls("c.example.com", "*.example.com", "b.example.com") == [
        f"match[0].sniHosts[{index}] conflict" for index in range(3)
    ]
    assert tls("*-x.b.example.com", "a b") == [f"match[0].sniHosts[{index}] bad-value" for index in range(2)]
    assert tls() == ["match[0].sniHosts required"]
    assert tls(match=[]) == ["match required"]
    assert judge("vs", {"hosts": ["a"], "tls": [{"route": TO}]}) == ["spec.tls[0].match required"]


def test_conditions() -> None:
    assert tcp({"destinationSubnets": ["10.0.0.0/8", "::1"], "port": 1, "gateways": ["mesh"]}) == []
    assert tcp({"destinationSubnets": ["10.0.0.0/99"]}) == ["match[0].destinationSubnets[0] bad-value"]
    assert tcp({"sourceNamespace": "N S"}) == ["match[0].sourceNamespace bad-value"]
    assert tcp({"sourceLabels": {"a": "b c"}}) == ["match[0].sourceLabels.a bad-value"]
    assert tcp({"sourceSubnet": "10.0.0.0/8"}) == ["match[0].sourceSubnet no-effect"]
    assert tcp({"gateways": [""]}) == ["match[0].gateways[0] bad-value"]


def test_destinations() -> None:
    assert tcp() == []
    assert tcp(route=[]) == ["route required"]
    assert tls("a.example.com", route=[]) == ["route required"]
    assert tcp(route=[{"destination": {"host": "*"}, "weight": -1}]) == [
        "route[0].destination.host bad-value",
        "route[0].weight out-of-range",
    ]
    two: Json = [{"destination": {"host": "a"}}, {"destination": {"host": "b"}}]
    assert tcp(route=two) == ["route conflict"]


def test_a_rule_of_any_kind_is_enough() -> None:
    assert judge("vs", {"hosts": ["a"]}) == ["spec required"]
