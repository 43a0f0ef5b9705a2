"""Whose tokens are good at a real sidecar and at a gateway, and what becomes of what they say.

`echo` of the shared mesh takes tokens of three issuers: one whose keys are fetched from where the rule says, one whose
keys are found by discovery, and one whose server is never there. Requests go over one connection of `caller`.
"""

import base64
import http.client
import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest

from tests.mesh.harness import Mesh, until
from tests.token_issuer import Issuer, SigningKey

pytestmark = pytest.mark.mesh

A = "https://a.example.com"
GONE = "https://gone.example.com"
OLD = "https://old.example.com"
PORT = 8123


class Caller:
    """One connection to the proxy of a workload."""

    def __init__(self, mesh: Mesh) -> None:
        proxy = urlsplit(mesh.proxy("caller"))
        assert proxy.hostname
        self._connection = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=30)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, path: str = "/", **headers: str) -> tuple[int, str]:
        """Status and body; `_` in names is a dash."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", f"http://echo:8080{path}", headers=sent)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()

    def bearer(self, token: str) -> int:
        return self.ask(authorization=f"Bearer {token}")[0]

    def seen(self, path: str = "/", **headers: str) -> dict[str, str]:
        """What the program got."""
        status, body = self.ask(path, **headers)
        assert status == 200, (status, body)
        told: dict[str, Any] = json.loads(body)
        return {**told["headers"], "(path)": told["path"]}


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey("one")


@pytest.fixture(scope="module")
def issuer(key: SigningKey) -> Iterator[Issuer]:
    with Issuer(key) as server:
        yield server


def people(issuer: Issuer) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: people}}
spec:
  selector: {{matchLabels: {{app: echo}}}}
  jwtRules:
  - issuer: {A}
    audiences: [shop, stall]
    jwksUri: {issuer.url}/keys
    outputPayloadToHeader: x-payload
    outputClaimToHeaders:
    - {{header: x-subject, claim: sub}}
    - {{header: x-tier, claim: plan.tier}}
    timeout: 10s
  - issuer: {issuer.url}
    fromHeaders: [{{name: x-token, prefix: "Token "}}]
    fromParams: [ticket]
    fromCookies: [session]
    forwardOriginalToken: true
    outputClaimToHeaders: [{{header: x-visitor, claim: sub}}]
  - issuer: {GONE}
    jwksUri: http://127.0.0.1:1/keys
"""


@pytest.fixture(scope="module")
def scene(shared_mesh: Mesh, issuer: Issuer, key: SigningKey) -> Iterator[Mesh]:
    mesh = shared_mesh
    with mesh.applied(people(issuer)), Caller(mesh) as caller:
        until(lambda: caller.bearer(key.sign(A, aud="shop")) == 200, "the keys are fetched")
        until(lambda: caller.ask(x_token=f"Token {key.sign(issuer.url)}")[0] == 200, "and those of the other")
        yield mesh


REASONS = {
    "alg none": "Jwt_is_not_in_the_form",
    "alg none and a signature": "Jwt_header_[alg]_is_not_supported",
    "another key by the same id": "Jwt_verification_fails",
    "changed": "Jwt_verification_fails",
    "expired": "Jwt_is_expired",
    "not yet valid": "Jwt_not_yet_valid",
    "unknown issuer": "Jwt_issuer_is_not_configured",
    "keys never fetched": "Jwks",
    "no token at all": "Jwt_is_not_in_the_form",
}
"""Parts of what the access log says of some."""


def test_what_is_no_good_token_is_refused(scene: Mesh, issuer: Issuer, key: SigningKey) -> None:
    good: dict[str, Any] = {"iss": A, "sub": "ann", "aud": "shop", "exp": int(time.time()) + 3600}
    unsigned = jwt.encode(good, "", algorithm="none")
    # The public key as if it were a shared secret: the old confusion of algorithms.
    public = base64.urlsafe_b64decode(key.published["x"] + "==")
    confused = jwt.encode(good, public, algorithm="HS256", headers={"kid": key.key_id})
    good_token = key.sign(A, aud="shop")
    head, payload, signature = good_token.split(".")
    other = base64.urlsafe_b64encode(json.dumps({**good, "sub": "root"}).encode()).rstrip(b"=").decode()
    denied = r"http\.inbound\.jwt_authn\.denied$"
    before = sum(scene.stats("echo", denied).values())
    with Caller(scene) as caller:
        assert caller.ask()[0] == 200, "who has no token is let through: a policy may demand one"
        assert caller.bearer(good_token) == 200
        assert caller.bearer(key.sign(A, aud=["nobody", "stall"])) == 200, "all audiences count"
        refused = {
            "alg none": unsigned,
            "alg none and a signature": f"{unsigned}{signature}",
            "symmetric": confused,
            "another key by the same id": SigningKey(key.key_id).sign(A, aud="shop"),
            "a key that is not published": SigningKey("two").sign(A, aud="shop"),
            "changed": f"{head}.{other}.{signature}",
            "unsigned rest": f"{head}.{payload}.",
            "expired": key.sign(A, aud="shop", exp=int(time.time()) - 3600),
            "not yet valid": key.sign(A, aud="shop", nbf=int(time.time()) + 3600),
            "unknown issuer": key.sign("https://nobody.example.com", aud="shop"),
            "keys never fetched": key.sign(GONE),
            "no token at all": "x",
        }
        paths = {name: f"/{name.replace(' ', '-')}" for name in refused}
        got = {name: caller.ask(paths[name], authorization=f"Bearer {refused[name]}")[0] for name in refused}
        assert got == dict.fromkeys(refused, 401)
        for name, path in paths.items():
            reason = str(scene.logged("echo", direction="inbound", path=path)["details"])
            assert reason.startswith("jwt_authn_access_denied{"), (name, reason)
            assert REASONS.get(name, "") in reason, (name, reason)
        assert caller.bearer(key.sign(A, aud="nobody")) == 403, "a good token, for somebody else"
        assert caller.bearer(key.sign(A)) == 403, "for nobody in particular"
        assert sum(scene.stats("echo", denied).values()) - before == len(refused) + 2
    with Caller(scene) as caller:
        assert caller.bearer(key.sign(A, aud="shop", fill="x" * 100_000)) == 431, "huge: refused unread"


def test_what_a_token_says_reaches_the_program_and_nothing_forged(
    scene: Mesh, issuer: Issuer, key: SigningKey
) -> None:
    written = {"x_payload": "forged", "x_subject": "root", "x_tier": "gold", "x_visitor": "root"}
    with Caller(scene) as caller:
        nobody = caller.seen(**written)
        assert not {"x-payload", "x-subject", "x-tier", "x-visitor"} & nobody.keys(), nobody
        token = key.sign(A, aud=["shop", "x"], plan={"tier": "free"})
        seen = caller.seen(authorization=f"Bearer {token}", **written)
        assert (seen["x-subject"], seen["x-tier"]) == ("ann", "free")
        assert "x-visitor" not in seen, "another rule's header, which this token's rule does not write"
        assert "authorization" not in seen, "the token is not handed on"
        payload = json.loads(base64.urlsafe_b64decode(seen["x-payload"] + "=="))
        assert payload["aud"] == ["shop", "x"]
        visitor = key.sign(issuer.url, sub="bob")
        for seen in (
            caller.seen(x_token=f"Token {visitor}", **written),
            caller.seen(f"/?ticket={visitor}", **written),
            caller.seen(cookie=f"session={visitor}", **written),
        ):
            assert seen["x-visitor"] == "bob"
            assert "x-subject" not in seen
            assert visitor in " ".join(seen.values()), "this rule hands its tokens on"
        assert caller.ask(x_token=f"Other {visitor}")[0] in (200, 401)
        assert caller.seen(f"/?access_token={token}")["x-subject"] == "ann", "the usual parameter"
        assert caller.ask(authorization=f"Bearer {visitor}")[0] == 401, "in the place of another issuer"


def test_a_change_holds_for_the_next_request_on_an_open_connection(
    scene: Mesh, issuer: Issuer, key: SigningKey
) -> None:
    token = key.sign(A, aud="attic")
    with Caller(scene) as caller:
        assert caller.bearer(token) == 403
        before = scene.stats("echo", "listener_manager.listener_(modified|added|removed)")
        opened = scene.stats("echo", "http.inbound.downstream_cx_total")
        with scene.applied(people(issuer).replace("[shop, stall]", "[attic]")):
            assert caller.bearer(token) == 200
        scene.apply(people(issuer))
        assert caller.bearer(token) == 403
        assert scene.stats("echo", "listener_manager.listener_(modified|added|removed)") == before
        assert scene.stats("echo", "http.inbound.downstream_cx_total") == opened, "the same connections"


POLICY = f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: members}}
spec:
  selector: {{matchLabels: {{app: echo}}}}
  rules:
  - to: [{{operation: {{paths: [/open]}}}}]
  - from: [{{source: {{requestPrincipals: ["{A}/ann"]}}}}]
    when: [{{key: "request.auth.claims[groups]", values: [staff]}}, {{key: request.auth.audiences, values: [stall]}}]
"""


def test_policies_ask_what_tokens_say(scene: Mesh, key: SigningKey) -> None:
    with scene.applied(POLICY), Caller(scene) as caller:
        until(lambda: caller.ask()[0] == 403, "the policy is in force")
        assert caller.ask("/open")[0] == 200
        staff = {"aud": ["shop", "stall"], "groups": ["x", "staff"]}
        assert caller.bearer(key.sign(A, **staff)) == 200
        assert caller.bearer(key.sign(A, **staff, sub="bob")) == 403
        assert caller.bearer(key.sign(A, **{**staff, "groups": ["x"]})) == 403
        assert caller.bearer(key.sign(A, **{**staff, "aud": "shop"})) == 403
        assert caller.bearer(SigningKey("two").sign(A, **staff)) == 401


def test_a_rule_may_demand_a_token(scene: Mesh, issuer: Issuer, key: SigningKey) -> None:
    demanding = people(issuer).replace("timeout: 10s", "presence: REQUIRED")
    with Caller(scene) as caller:
        scene.apply(demanding)
        try:
            until(lambda: caller.ask()[0] == 401, "who has no token is refused")
            assert caller.bearer(key.sign(A, aud="shop")) == 200
            assert caller.ask(x_token=f"Token {key.sign(issuer.url)}")[0] == 401, "that rule demands nothing"
        finally:
            scene.apply(people(issuer))
        until(lambda: caller.ask()[0] == 200, "as it was")


def test_keys_are_rotated_and_the_last_good_ones_kept(scene: Mesh, issuer: Issuer, key: SigningKey) -> None:
    new = SigningKey("two")
    try:
        with Caller(scene) as caller:
            assert caller.bearer(new.sign(A, aud="shop")) == 401
            issuer.keys = (key, new)
            until(lambda: caller.bearer(new.sign(A, aud="shop")) == 200, "the new key is fetched")
            assert caller.bearer(key.sign(A, aud="shop")) == 200, "the old one is still published"
            issuer.is_away = True
            asked = issuer.asked["/keys"]
            until(lambda: issuer.asked["/keys"] >= asked + 2, "the server was asked again, in vain")
            until(lambda: metric(scene, 'proa_token_key_sources{state="stale"}') >= 1, "which is told")
            assert caller.bearer(new.sign(A, aud="shop")) == 200
            assert caller.bearer(key.sign(A, aud="shop")) == 200
            assert metric(scene, 'proa_token_key_sources{state="missing"}') == 1
            issuer.keys = (new,)
            issuer.is_away = False
            until(lambda: caller.bearer(key.sign(A, aud="shop")) == 401, "a key that is withdrawn is no good")
            assert caller.bearer(new.sign(A, aud="shop")) == 200
    finally:
        issuer.keys, issuer.is_away = (key,), False
        with Caller(scene) as caller:
            until(lambda: caller.bearer(key.sign(A, aud="shop")) == 200, "as it was")


def metric(mesh: Mesh, series: str) -> float:
    address = json.loads(mesh.home.endpoints.read_text())["metrics"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series))


def edge(key: SigningKey) -> str:
    keys = json.dumps({"keys": [key.published]})
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: users}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: {PORT}, name: http, protocol: HTTP}}, hosts: ["*"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: users}}
spec:
  hosts: ["*"]
  gateways: [users]
  http:
  - match: [{{headers: {{"@request.auth.claims.plan.tier": {{exact: gold}}}}}}]
    directResponse: {{status: 220}}
  - match: [{{headers: {{"@request.auth.claims[groups]": {{prefix: st}}}}}}]
    directResponse: {{status: 221}}
  - match: [{{headers: {{"@request.auth.claims.scope": {{exact: write}}}}}}]
    directResponse: {{status: 222}}
  - match: [{{headers: {{"@request.auth.claims.iss": {{}}}}, withoutHeaders: {{"@request.auth.claims.age": {{}}}}}}]
    directResponse: {{status: 223}}
  - match: [{{uri: {{prefix: /through}}}}]
    route: [{{destination: {{host: echo.default.svc.cluster.local, port: {{number: 8080}}}}}}]
  - directResponse: {{status: 224}}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: users, namespace: istio-system}}
spec:
  selector: {{matchLabels: {{istio: ingressgateway}}}}
  jwtRules:
  - issuer: {A}
    jwks: '{keys}'
    spaceDelimitedClaims: [roles]
    outputPayloadToHeader: x-edge-payload
    outputClaimToHeaders: [{{header: x-edge-subject, claim: sub}}]
"""


def test_a_gateway_sends_requests_by_what_their_tokens_say(shared_mesh: Mesh, key: SigningKey) -> None:
    mesh = shared_mesh
    mesh.gateway("-n", "istio-system")
    try:
        with mesh.applied(edge(key)):
            port = mesh.gateway_port(PORT)

            def status(token: str = "", **headers: str) -> int:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                if token:
                    headers["authorization"] = f"Bearer {token}"
                connection.request("GET", "/", headers={"host": "users.example.com", **headers})
                found = connection.getresponse().status
                connection.close()
                return found

            until(lambda: status() == 224, "the gateway serves")
            assert status(key.sign(A, plan={"tier": "gold"})) == 220
            assert status(key.sign(A, plan={"tier": "free"}, groups=["guests", "staff"])) == 221
            assert status(key.sign(A, groups="staff")) == 221
            assert status(key.sign(A, scope="read write")) == 222
            assert status(key.sign(A)) == 223
            assert status(key.sign(A, age=7)) == 224
            assert status(SigningKey("two").sign(A, plan={"tier": "gold"})) == 401
            assert status(**{"@request.auth.claims.plan.tier": "gold"}) in (224, 400), "a header is no claim"
            forged = base64.urlsafe_b64encode(b'{"sub": "root"}').decode()
            stranger = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            said = {"x-edge-payload": forged, "x-edge-subject": "root", "host": "users.example.com"}
            stranger.request("GET", "/through", headers=said)
            told = json.loads(stranger.getresponse().read())["headers"]
            assert not {"x-edge-payload", "x-edge-subject"} & told.keys(), "forged from outside"
            stranger.close()
    finally:
        mesh.stop("ingressgateway")


def policy_of_2018(issuer: Issuer) -> str:
    return f"""
apiVersion: authentication.istio.io/v1alpha1
kind: Policy
metadata: {{name: echo}}
spec:
  targets: [{{name: echo}}]
  origins:
  - jwt: {{issuer: {OLD}, audiences: [shop], jwksUri: {issuer.url}/keys, jwtHeaders: [x-old], jwtParams: [old]}}
  principalBinding: USE_ORIGIN
"""


def test_a_policy_of_2018_demands_a_token_of_its_origins(
    shared_mesh: Mesh, issuer: Issuer, key: SigningKey
) -> None:
    good = key.sign(OLD, aud=["shop", "x"])
    with shared_mesh.applied(policy_of_2018(issuer)), Caller(shared_mesh) as caller:
        until(lambda: caller.ask()[0] == 401, "who has no token is refused")
        until(lambda: caller.ask(x_old=good)[0] == 200, "the keys are there")
        assert caller.seen(f"/?old={good}")["(path)"].endswith(good), "handed on, as in 2018"
        assert caller.ask(x_old=key.sign(OLD, aud="x"))[0] == 403
        assert caller.ask(x_old=key.sign(OLD, aud="shop", exp=int(time.time()) - 3600))[0] == 401
        optional = policy_of_2018(issuer).replace("principalBinding: USE_ORIGIN", "originIsOptional: true")
        shared_mesh.apply(optional)
        until(lambda: caller.ask()[0] == 200, "then none is demanded")
        assert caller.ask(x_old=SigningKey("two").sign(OLD, aud="shop"))[0] == 401
