import json

import pytest
from immutables import Map

from proa.core.auth.authorization.evaluate import Decision, evaluate, holds
from proa.core.auth.authorization.reading import TrustDomains, read_policy
from proa.core.auth.authorization.request import Caller, Request
from proa.core.auth.authorization.values import Action, Policy
from proa.core.config import Json
from proa.testing.builders import configs

CALLER = Caller(
    principal="cluster.local/ns/shop/sa/web", workload="web-1.shop", address="10.0.0.1", sni="a.example"
)
REQUEST = Request(
    caller=CALLER,
    ports=(8080, 80),
    address="10.0.0.2",
    authority="Api.Example:8080",
    path="/a/b?x=/admin",
    headers=(("X-A", "1"), ("x-a", "2")),
    claims=Map({"iss": "i", "sub": "s", "aud": ["one", "two"], "n": 7}),
    metadata=Map({"envoy.filters.f": {"k": ["v"]}}),
)


def policy(
    rule: Json = None, action: Action = "ALLOW", *, name: str = "p", dry: bool = False, provider: str = ""
) -> Policy:
    spec: dict[str, Json] = {"action": action, "rules": [] if rule is None else [rule]}
    if provider:
        spec["provider"] = {"name": provider}
    note = '"istio.io/dry-run": "true"' if dry else ""
    text = f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, annotations: {{{note}}}}}
spec: {json.dumps(spec)}
"""
    return read_policy(configs(text)[0], TrustDomains())


def source(**fields: Json) -> Json:
    return {"from": [{"source": fields}]}


def operation(**fields: Json) -> Json:
    return {"to": [{"operation": fields}]}


def when(key: str, *values: str, **more: list[str]) -> Json:
    condition: dict[str, Json] = {"key": key, **{name: list(given) for name, given in more.items()}}
    return {"when": [condition | ({"values": list(values)} if values else {})]}


@pytest.mark.parametrize(
    "rule",
    [
        {},
        source(principals=["cluster.local/ns/shop/sa/web"]),
        source(principals=["cluster.local/*"], notPrincipals=["*/sa/api"]),
        source(namespaces=["sh*"], notNamespaces=["prod"]),
        source(serviceAccounts=["shop/web"]),
        source(trustDomains=["*.local"]),
        source(ipBlocks=["10.0.0.0/24"], notIpBlocks=["10.0.0.9"]),
        source(remoteIpBlocks=["10.0.0.1"]),
        source(requestPrincipals=["i/s"]),
        operation(hosts=["api.EXAMPLE:*"]),
        operation(methods=["GET"], paths=["/a/b"], ports=["80"]),
        operation(paths=["/a/{*}"], notPaths=["/admin", "/a"]),
        operation(paths=["/{**}"]),
        when("request.headers[x-a]", "1,2"),
        when("request.headers[x-b]", notValues=["*"]),
        when("request.auth.audiences", "two"),
        when("request.auth.claims[n]", notValues=["7"]),
        when("connection.sni", "*.example"),
        when("destination.ip", "10.0.0.2"),
        when("experimental.envoy.filters.f[k]", "[v]"),
    ],
    ids=str,
)
def test_what_holds(rule: Json) -> None:
    assert holds(policy(rule).rules[0], "ALLOW", REQUEST)


@pytest.mark.parametrize(
    "rule",
    [
        source(principals=["cluster.local/ns/shop/sa/we"]),
        source(notPrincipals=["*"]),
        source(namespaces=["shop"], notIpBlocks=["10.0.0.1"]),
        operation(hosts=["api.example"]),
        operation(paths=["/a/b/x", "/admin"]),
        operation(paths=["/{*}"]),
        operation(ports=["9090"]),
        when("request.headers[x-a]", "1"),
        when("request.headers[x-b]", "*"),
        when("request.auth.claims[n]", "7"),
        when("experimental.envoy.filters.f[k]", "v"),
    ],
    ids=str,
)
def test_what_does_not(rule: Json) -> None:
    assert not holds(policy(rule).rules[0], "ALLOW", REQUEST)


def test_a_header_that_came_twice_lets_in_as_a_whole_and_refuses_by_each() -> None:
    once = when("request.headers[x-a]", "2")
    assert not holds(policy(once).rules[0], "ALLOW", REQUEST)
    assert holds(policy(once, "DENY").rules[0], "DENY", REQUEST)
    unless = when("request.headers[x-a]", notValues=["2"])
    assert not holds(policy(unless).rules[0], "ALLOW", REQUEST)
    assert holds(policy(unless, "DENY").rules[0], "DENY", REQUEST)


def decided(*policies: Policy, request: Request = REQUEST) -> tuple[str, tuple[str, ...]]:
    decision = evaluate(policies, request)
    return decision.outcome, decision.rules


def test_the_order() -> None:
    allow, deny = policy({}, name="a"), policy({}, "DENY", name="d")
    assert decided() == ("allowed", ())
    assert decided(allow) == ("allowed", ("ns[default]-policy[a]-rule[0]",))
    assert decided(allow, deny) == ("denied", ("ns[default]-policy[d]-rule[0]",))
    assert decided(policy()) == ("denied", ("none",)), "an ALLOW without rules lets nobody in"
    assert decided(policy(operation(methods=["PUT"]))) == ("denied", ("none",))
    assert decided(policy({}, "AUDIT")) == ("allowed", ())
    asked = evaluate([policy({}, "CUSTOM", provider="x"), deny], REQUEST)
    assert (asked.outcome, asked.provider, asked.final.outcome) == ("asked", "x", "denied")


def test_what_is_run_dry_or_audited_decides_nothing() -> None:
    decision: Decision = evaluate(
        [policy({}, "DENY", name="d", dry=True), policy(name="a", dry=True), policy({}, "AUDIT", name="s")],
        REQUEST,
    )
    assert decision.outcome == "allowed"
    assert decision.dry_deny is not None
    assert decision.dry_allow is not None
    assert (decision.dry_deny.allows, decision.dry_deny.rules) == (False, ("ns[default]-policy[d]-rule[0]",))
    assert (decision.dry_allow.allows, decision.dry_allow.rules) == (False, ())
    assert decision.audited == ("ns[default]-policy[s]-rule[0]",)


def test_streams() -> None:
    """What a stream does not have cannot let it in, and does not save it."""
    stream = Request(caller=CALLER, ports=(80,), is_stream=True)
    mixed: Json = {**_as_map(source(namespaces=["shop"])), **_as_map(operation(methods=["PUT"]))}
    assert decided(policy(mixed), request=stream) == ("denied", ("none",))
    assert decided(policy(mixed, "DENY"), request=stream)[0] == "denied"
    elsewhere: Json = {**_as_map(source(namespaces=["prod"])), **_as_map(operation(methods=["PUT"]))}
    assert decided(policy(elsewhere, "DENY"), request=stream)[0] == "allowed"
    assert decided(policy(source(namespaces=["shop"])), request=stream)[0] == "allowed"


def _as_map(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


def test_plain_text_is_nobody() -> None:
    plain = Request(caller=Caller(address="10.0.0.1"), ports=(80,))
    for field in ("principals", "namespaces", "trustDomains"):
        anybody: Json = {"from": [{"source": {field: ["*"]}}]}
        assert decided(policy(anybody), request=plain)[0] == "denied"
    assert decided(policy(source(notPrincipals=["*"])), request=plain)[0] == "allowed"
