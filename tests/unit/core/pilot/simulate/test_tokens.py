"""What is foretold of a request by its token."""

import base64
import json

import pytest

from proa.core.pilot.simulate import Gateway, Inbound, Outcome
from proa.core.pilot.simulate.tokens import decode_base64
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, registration, simple
from tests.token_issuer import SigningKey

KEY = SigningKey("one")
KEYS = json.dumps({"keys": [KEY.published]})
PEOPLE = f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: people}}
spec:
  jwtRules:
  - {{issuer: a, audiences: [shop], jwks: '{KEYS}'}}
  - {{issuer: b, jwks: '{KEYS}', fromHeaders: [{{name: x-b, prefix: "B "}}], fromParams: [b], fromCookies: [b]}}
"""


def asked(headers: dict[str, str], path: str = "/", people: str = PEOPLE) -> Outcome:
    mesh = Mesh(simple("reviews"))
    mesh.apply(people)
    return mesh.get("reviews-v1", f"http://reviews:9080{path}", headers=headers, via=Inbound(port=9080))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_who_brings_no_token_passes_and_nothing_is_told() -> None:
    assert (asked({}).status, asked({}).checks) == (0, ())


@pytest.mark.parametrize(
    ("token", "status", "why"),
    [
        (KEY.sign("a", aud="shop"), 0, "the token says a/ann"),
        (KEY.sign("a", aud=["x", "shop"]), 0, "the token says a/ann"),
        (KEY.sign("a", aud="x"), 403, "Audiences"),
        (KEY.sign("a"), 403, "Audiences"),
        (KEY.sign("c", aud="shop"), 401, "issuer"),
        (SigningKey("two").sign("a", aud="shop"), 401, "Jwks"),
        ("x", 401, "form"),
        ("e30.e30.", 401, "issuer"),
        ("a.b.c", 401, "form"),
    ],
)
def test_what_a_token_claims_decides(token: str, status: int, why: str) -> None:
    found = asked(bearer(token))
    assert found.status == status
    (check,) = found.checks
    assert check.passed is (False if status else None)
    assert why in check.why


def test_each_place_of_a_rule_is_read() -> None:
    token = KEY.sign("b")
    for headers, path in (
        ({"x-b": f"B {token}"}, "/"),
        ({}, f"/?b={token}"),
        ({"cookie": f"a=1; b={token}"}, "/"),
    ):
        assert "b/ann" in asked(headers, path).checks[0].why
    assert asked({"x-b": "B no"}).status == 401
    assert asked({"x-b": token}).checks == (), "without the prefix it is no token"


def test_one_that_is_demanded_is_missed() -> None:
    demanding = PEOPLE.replace("audiences: [shop]", "presence: REQUIRED")
    found = asked({}, people=demanding)
    assert (found.status, found.checks[0].why) == (401, "the request's token: Jwt is missing")
    assert asked(bearer(KEY.sign("a")), people=demanding).status == 0


EDGE = f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ["*"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: edge}}
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
  - match: [{{headers: {{"@request.auth.claims.plan.tier": {{exact: gold}}}}}}]
    directResponse: {{status: 220}}
  - match: [{{headers: {{"@request.auth.claims[groups]": {{prefix: st}}}}}}]
    directResponse: {{status: 221}}
  - match: [{{headers: {{"@request.auth.claims.sub": {{}}}}, withoutHeaders: {{"@request.auth.claims.age": {{}}}}}}]
    directResponse: {{status: 222}}
  - directResponse: {{status: 224}}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: edge}}
spec: {{selector: {{matchLabels: {{istio: ingressgateway}}}}, jwtRules: [{{issuer: a, jwks: '{KEYS}'}}]}}
"""


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("", 224),
        (KEY.sign("a", plan={"tier": "gold"}), 220),
        (KEY.sign("a", groups=["x", "staff"]), 221),
        (KEY.sign("a", groups="staff"), 221),
        (KEY.sign("a", groups=7), 222),
        (KEY.sign("a", age=7), 224),
        (KEY.sign("b", plan={"tier": "gold"}), 401),
    ],
)
def test_routes_of_gateways_match_what_tokens_say(token: str, status: int) -> None:
    gateway = registration(
        "edge",
        kind="gateway",
        labels={"istio": "ingressgateway"},
        gateway_ports=(GatewayPort(server_port=80, bound_port=20080),),
    )
    mesh = Mesh(gateway)
    mesh.apply(EDGE)
    headers = bearer(token) if token else {}
    assert mesh.get("edge", "http://a/", headers=headers, via=Gateway(port=80)).status == status


@pytest.mark.parametrize("text", [b"{}", b"\xfb\xff\xfe", b"abcd", b""])
def test_base64_of_tokens(text: bytes) -> None:
    assert decode_base64(base64.urlsafe_b64encode(text).rstrip(b"=").decode()) == text
