from proa.core.config import Config, Json
from proa.core.config.analyze.gateways import check_gateways
from tests.unit.core.config.analyze.finding import an_object, find, routes, to


def gateway(name: str, *hosts: str, port: int = 80, protocol: str = "HTTP", **server: Json) -> Config:
    at: Json = {"number": port, "name": "p", "protocol": protocol}
    return an_object(
        "gw",
        name,
        {"selector": {"istio": "ingress"}, "servers": [{"port": at, "hosts": [*hosts], **server}]},
    )


def test_a_gateway_that_is_not_there() -> None:
    rules = [routes("a", ["a.example"], gateways=["shop", "other/shop", "mesh"]), gateway("shop", "*")]
    assert find(check_gateways, rules) == ["gateway-missing a spec.gateways[1]"]


def test_one_that_a_match_names() -> None:
    rule: Json = {"match": [{"gateways": ["nosuch"]}], **to("a")}
    assert find(check_gateways, [routes("a", ["a.example"], rule)]) == [
        "gateway-missing a spec.http[0].match[0].gateways[0]"
    ]


def test_a_host_that_the_gateway_does_not_take() -> None:
    found = [
        gateway("shop", "*.b.example", "other/a.example"),
        routes("a", ["a.example", "x.b.example"], gateways=["shop"]),
    ]
    assert find(check_gateways, found) == ["host-not-at-gateway a spec.hosts[0]"]


def test_a_gateway_without_rules() -> None:
    assert find(check_gateways, [gateway("shop", "*")]) == ["gateway-unused shop "]
    redirecting = gateway("shop", "*", tls={"httpsRedirect": True})
    assert find(check_gateways, [redirecting]) == []


def test_no_gateway_runs() -> None:
    rules = [gateway("shop", "*"), routes("a", ["a.example"], gateways=["shop"])]
    assert find(check_gateways, rules, gateways=0) == ["gateway-selects-nothing shop spec.selector"]
    assert find(check_gateways, rules, gateways=1) == []


def test_rivals() -> None:
    rules = [gateway("a", "a.example"), gateway("b", "a.example"), gateway("c", "a.example", port=81)]
    assert "gateways-conflict b spec.servers[0].hosts[0]" in find(check_gateways, rules)
    assert not any(each.startswith("gateways-conflict c") for each in find(check_gateways, rules))


def test_certificates() -> None:
    tls: Json = {"mode": "SIMPLE", "credentialName": "shop"}
    rules = [
        gateway("a", "a.example", port=443, protocol="HTTPS", tls=tls),
        gateway("b", "b.example", port=443, protocol="HTTPS", tls=tls),
    ]
    assert "certificate-shared b spec.servers[0].tls" in find(check_gateways, rules)
    missing = [each for each in find(check_gateways, rules, secrets=frozenset()) if "secret" in each]
    assert missing == ["secret-missing a spec.servers[0].tls", "secret-missing b spec.servers[0].tls"]
    assert not any("secret" in each for each in find(check_gateways, rules, secrets=frozenset(["shop"])))
