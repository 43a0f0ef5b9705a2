"""Doors of the authority, tried with gRPC's own client over TLS: who gets a certificate by a token or by the one he
has, and every attack on these doors, each refused with a reason that is counted."""

import asyncio
import contextlib
import functools
import json
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import jwt
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.askers import Askers, IssuersUnusable, TokenIssuers, opened_reviewers, read_issuers
from proa.control_plane.authority import Authority
from proa.control_plane.callers import Callers
from proa.control_plane.limits import Limits
from proa.control_plane.own_certificate import OwnCertificate
from proa.control_plane.refusals import Refusals
from proa.control_plane.revocations import Revocations
from proa.core.auth.ca import Ca, issue, make_root, private_pem, to_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.spiffe import SpiffeId, node_id, workload_id
from proa.core.auth.template import CertificateTemplate
from proa.ports.authority_store import AuthorityStore
from proa.runtime.polling import poll
from proa.servers.authority.attempts import Attempts
from proa.servers.authority.istio import Request, Response, istio_service
from proa.servers.grpc_edge import Peer, node_name, service, serving_grpc, unary_method
from tests.certificates import Authority as HttpsAuthority

TD = "cluster.local"
REVIEWS = workload_id(TD, "shop", "reviews")
KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
ISSUER = "https://issuer.example"
POD_TOKEN = "token-of-a-pod"


class Door:
    """A control plane's port with everything behind it, and the outside world's issuers."""

    def __init__(self, port: int, authority: Authority, store: AuthorityStore, denials: Refusals) -> None:
        self.port = port
        self.authority = authority
        self.store = store
        self.denials = denials
        self.jwks_is_up = True

    def denied(self, reason: str) -> int:
        return sum(count for (each, _), count in self.denials.counts.items() if each == reason)

    @contextlib.asynccontextmanager
    async def channel(self, pair: tuple[str, str] | None = None) -> AsyncIterator[grpc.aio.Channel]:
        key, chain = (part.encode() for part in pair) if pair else (None, None)
        credentials = grpc.ssl_channel_credentials(self.authority.roots_pem.encode(), key, chain)
        options = (("grpc.ssl_target_name_override", "proa.istio-system.svc"),)
        async with grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options) as channel:
            yield channel

    async def create(
        self, csr: str, token: str = "", pair: tuple[str, str] | None = None, ttl_s: int = 0
    ) -> tuple[str, ...]:
        async with self.channel(pair) as channel:
            call: Any = channel.unary_unary(METHOD, None, None)
            metadata = (("authorization", f"Bearer {token}"),) if token else ()
            body = Request(csr=csr, validity_duration=ttl_s).SerializeToString()
            answer: Any = Response.FromString(await call(body, metadata=metadata, timeout=60))
            return tuple(answer.cert_chain)

    async def refused(self, csr: str, token: str = "", pair: tuple[str, str] | None = None) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.create(csr, token, pair)
        assert caught.value.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE)
        return str(caught.value.details())

    async def as_node(self, pair: tuple[str, str] | None) -> str:
        """What the node service says to a caller: his name, or why not."""
        async with self.channel(pair) as channel:
            call: Any = channel.unary_unary("/test.Node/Name", None, None)
            try:
                return bytes(await call(b"", timeout=60)).decode()
            except grpc.aio.AioRpcError as error:
                return f"{error.code().name}: {error.details()}"

    def pair(
        self,
        identity: SpiffeId,
        *,
        signer: Ca | None = None,
        begins: float = -60,
        ends: float = 600,
        serial: int = 77,
    ) -> tuple[str, str]:
        """A key and certificate that the mesh's own CA (or `signer`) signed, whatever it would say itself."""
        ca = signer or self.authority.keyring.signer_now
        now = time.time()
        template = CertificateTemplate(
            uri=identity, serial=serial, not_before=int(now + begins), not_after=int(now + ends)
        )
        certificate = issue(template, KEY.public_key(), ca)
        return private_pem(KEY), to_pem(certificate) + ca.presented_pem


async def name(peer: SpiffeId, _body: bytes) -> bytes:
    return node_name(peer, TD).encode()


@contextlib.asynccontextmanager
async def http_site(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        bound = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, bound, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://localhost:{bound.getsockname()[1]}"
    finally:
        await runner.cleanup()


async def token_review(request: web.Request) -> web.Response:
    """As an API server answers (kube-apiserver 1.20's shapes)."""
    assert request.headers["authorization"] == "Bearer our-own-token"
    asked = await request.json()
    assert (asked["kind"], asked["apiVersion"]) == ("TokenReview", "authentication.k8s.io/v1")
    if asked["spec"]["token"] != POD_TOKEN:
        return web.json_response({"status": {"error": "invalid bearer token"}}, status=201)
    user = {
        "username": "system:serviceaccount:shop:reviews",
        "uid": "1",
        "extra": {"authentication.kubernetes.io/pod-name": ["reviews-7d"]},
    }
    status = {"authenticated": True, "user": user, "audiences": asked["spec"]["audiences"]}
    return web.json_response({**asked, "status": status}, status=201)


@contextlib.asynccontextmanager
async def door(folder: Path) -> AsyncIterator[Door]:
    app = web.Application()
    opened_door: list[Door] = []

    async def jwks(_request: web.Request) -> web.Response:
        if not opened_door[0].jwks_is_up:
            return web.Response(status=500)
        key = json.loads(RSAAlgorithm.to_jwk(ISSUER_KEY.public_key()))
        return web.json_response({"keys": [{**key, "kid": "one", "alg": "RS256", "use": "sig"}]})

    app.router.add_get("/jwks", jwks)
    kubernetes = web.Application()
    kubernetes.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", token_review)
    https = HttpsAuthority(folder)
    served = https.issue("localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(served.cert, served.key)
    (folder / "own").write_text("our-own-token\n")
    denials = Refusals(time.monotonic)
    async with contextlib.AsyncExitStack() as stack:
        site = await stack.enter_async_context(http_site(app))
        api = await stack.enter_async_context(http_site(kubernetes, tls))
        subjects = {"accounts": {"repo:shop": "shop/reviews"}, "namespaces": ["shop"]}
        file = folder / "issuers.json"
        oidc = {"issuer": ISSUER, "audiences": ["proa"], "jwks_uri": f"{site}/jwks", "subjects": subjects}
        api_server = {
            "server": api,
            "audiences": ["istio-ca"],
            "token_file": str(folder / "own"),
            "ca_file": str(https.roots),
            "subjects": subjects,
        }
        file.write_text(json.dumps({"oidc": [oidc], "kubernetes": [api_server]}))
        reviewers = await stack.enter_async_context(opened_reviewers(read_issuers(file)))
        stores = await stack.enter_async_context(open_stores(folder / "store.db"))
        revocations = Revocations(stores.authority, TD, time.time)
        authority = await Authority.open(
            trust_domain=TD,
            keys=MemoryKeyStore(),
            store=stores.authority,
            clock=time.time,
            entropy=secrets.token_bytes,
            revocations=revocations,
            denied=denials.count,
        )
        own = await OwnCertificate.open(authority, takes_strangers=True)
        askers = Askers(
            authority,
            reviewers,
            Callers(Limits(), time.monotonic),
            Attempts(time.monotonic),
            Refusals(time.monotonic),
        )

        def judge(peer: Peer) -> str:
            return revocations.refusal(serial=peer.serial, identity=str(peer.identity), names=peer.names)

        bound = socket.create_server(("127.0.0.1", 0))
        services = (istio_service(askers), service("test.Node", {"Name": unary_method(name)}))
        await stack.enter_async_context(
            serving_grpc(services, [bound], own.credentials, 0.2, judge, denials.count)
        )
        made = Door(bound.getsockname()[1], authority, stores.authority, denials)
        opened_door.append(made)
        yield made


Body = Callable[[Door], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def opened() -> None:
            async with asyncio.timeout(100), door(tmp_path) as made:
                await body(made)

        asyncio.run(opened())

    return run


def token(signed_by: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
    told = {"iss": ISSUER, "aud": "proa", "sub": "repo:shop", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(told, signed_by or ISSUER_KEY, "RS256", headers={"kid": "one"})


def identity_of(pem: str) -> tuple[list[str], list[str]]:
    names = x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return (
        names.value.get_values_for_type(x509.UniformResourceIdentifier),
        names.value.get_values_for_type(x509.DNSName),
    )


CSR = build_csr(KEY, REVIEWS)


def test_a_token_gets_a_certificate_which_renews_itself(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        leaf, *chain = await door.create(CSR, token(), ttl_s=600)
        assert identity_of(leaf) == ([str(REVIEWS)], [])
        life = x509.load_pem_x509_certificate(leaf.encode())
        assert (life.not_valid_after_utc - life.not_valid_before_utc).total_seconds() <= 661
        assert chain[-1] == door.authority.root_pem
        again, *_ = await door.create(CSR, pair=(private_pem(KEY), leaf + chain[0]))
        assert identity_of(again) == ([str(REVIEWS)], [])
        newest, first = (await door.store.issuances(limit=2))[0:2]
        assert newest.asked_by == str(REVIEWS)
        assert first.asked_by == f"{ISSUER}#repo:shop"

    run(body)


def test_kubernetes_vouches_for_a_pod(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        leaf, *_ = await door.create(CSR, POD_TOKEN)
        assert identity_of(leaf) == ([str(REVIEWS)], ["reviews-7d.shop.workload.cluster.local"])
        assert "Kubernetes refuses the token" in await door.refused(CSR, "another")
        assert door.denied("jwt invalid") == 1

    run(body)


def test_the_last_good_keys_are_kept_and_without_any_it_is_tried_again(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        door.jwks_is_up = False
        assert "cannot be fetched" in await door.refused(CSR, token())
        assert door.denied("jwt invalid") == 0, "nobody knows whether it was good"

    run(body)


@pytest.mark.parametrize(
    ("said", "code", "claims"),
    [
        ("another audience", "jwt not for us", {"aud": "others"}),
        ("has expired", "jwt invalid", {"exp": 1000}),
        ("not valid yet", "jwt invalid", {"nbf": 10**11}),
        ("has no identity", "no identity", {"sub": "repo:stranger"}),
        ("has no identity", "no identity", {"sub": "system:serviceaccount:istio-system:proa"}),
        ("Kubernetes refuses", "jwt invalid", {"iss": "https://elsewhere"}),
    ],
)
def test_tokens_that_open_nothing(
    run: Callable[[Body], None], said: str, code: str, claims: dict[str, Any]
) -> None:
    async def body(door: Door) -> None:
        assert said in await door.refused(CSR, token(**claims))
        assert door.denied(code) == 1
        assert [event.kind for event in await door.store.events()] == ["refused"]

    run(body)


def test_forged_tokens(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        unsigned = jwt.encode({"iss": ISSUER, "sub": "repo:shop", "aud": "proa"}, "", "none")
        assert "'none' is not taken" in await door.refused(CSR, unsigned)
        claims = {"iss": ISSUER, "sub": "repo:shop", "aud": "proa", "exp": int(time.time()) + 60}
        symmetric = jwt.encode(claims, "k" * 64, "HS256", headers={"kid": "one"})
        assert "'HS256' is not taken" in await door.refused(CSR, symmetric)
        assert "InvalidSignatureError" in await door.refused(CSR, token(OTHER_KEY))
        unknown = jwt.encode(claims, OTHER_KEY, "RS256", headers={"kid": "two"})
        assert "published no key 'two'" in await door.refused(CSR, unknown)
        assert door.denied("jwt invalid") == 4

    run(body)


def test_requests_for_more_than_one_is(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        other = build_csr(KEY, workload_id(TD, "shop", "ratings"))
        assert "this asker gets" in await door.refused(other, token())
        assert door.denied("csr identity") == 1
        node = door.pair(node_id(TD, "a"))
        assert "is no workload" in await door.refused(CSR, pair=node)
        assert door.denied("wrong identity") == 1
        assert "a bearer token or a client certificate" in await door.refused(CSR)
        assert door.denied("no certificate") == 1
        assert await door.store.issuances(str(REVIEWS)) == ()

    run(body)


def test_connections_that_are_refused_for_their_certificate(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        me = node_id(TD, "a")
        assert await door.as_node(door.pair(me)) == "a"
        stranger = make_root(TD, ec.generate_private_key(ec.SECP256R1()), 5, time.time())
        other_domain = SpiffeId("other.example", "/proa/node/a")
        attacks: tuple[tuple[str, tuple[str, str] | None], ...] = (
            ("no certificate", None),
            ("certificate untrusted", door.pair(me, signer=stranger)),
            ("certificate expired", door.pair(me, begins=-600, ends=-300)),
            ("certificate not yet valid", door.pair(me, begins=300)),
            ("wrong trust domain", door.pair(other_domain)),
            ("wrong identity", door.pair(REVIEWS)),
        )
        for code, pair in attacks:
            answer = await door.as_node(pair)
            assert answer != "a", (code, answer)
            await poll(functools.partial(was_denied, door, code), 0.01, lambda: True)

    async def was_denied(door: Door, code: str) -> bool:
        """A client may see the end of a handshake before the server's side of it is over."""
        return door.denied(code) >= 1

    run(body)


def test_a_revoked_certificate_is_refused_on_an_open_connection(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        pair = door.pair(node_id(TD, "a"))
        async with door.channel(pair) as channel:
            call: Any = channel.unary_unary("/test.Node/Name", None, None)
            assert await call(b"", timeout=60) == b"a"
            await door.authority.revocations.revoke(str(node_id(TD, "a")), reason="", author="t")
            with pytest.raises(grpc.aio.AioRpcError, match="is revoked"):
                await call(b"", timeout=60)
        assert door.denied("revoked") >= 1

    run(body)


def test_a_stranger_who_asks_too_often_waits(run: Callable[[Body], None]) -> None:
    async def body(door: Door) -> None:
        async with door.channel() as channel:
            call: Any = channel.unary_unary(METHOD, None, None)
            body = Request(csr=CSR).SerializeToString()
            told: list[str] = []
            while not any("retry in" in each for each in told) and len(told) < 500:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(body, timeout=60)
                told.append(f"{caught.value.code().name}: {caught.value.details()}")
            assert "UNAVAILABLE" in told[-1], told[-1]

    run(body)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "issuers.json"),
        ('{"oidc": [{"issuer": "https://x", "audiences": [], "subjects": {}}]}', "without audiences"),
        ('{"oidc": [{"issuer": "http://x", "audiences": ["a"], "subjects": {}}]}', "https"),
        ('{"odic": []}', "odic"),
    ],
)
def test_files_that_name_no_issuers(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "issuers.json"
    file.write_text(text)
    with pytest.raises(IssuersUnusable, match=said):
        read_issuers(file)
    with pytest.raises(IssuersUnusable, match="cannot be read"):
        read_issuers(tmp_path / "none")
    assert TokenIssuers() == TokenIssuers(oidc=(), kubernetes=())
