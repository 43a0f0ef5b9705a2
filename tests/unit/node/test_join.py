"""First contact with a real TLS server: the right one is joined, a wrong one learns nothing."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from immutables import Map

from proa.core.auth.ca import private_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.roots import PROOF, bundle_proof, root_sha256
from proa.core.auth.spiffe import control_plane_id, node_id
from proa.core.auth.template import control_plane_leaf, node_leaf
from proa.core.auth.tokens import JoinToken, decode_token, encode_token, hash_secret
from proa.core.sidecar.session import JoinReply, JoinRequest, decode, encode
from proa.home import Home
from proa.node.credentials import load_credential
from proa.node.join import JoinRefused, JoinUnreachable, join
from proa.node.options import NodeOptions, NodeUnusable
from proa.node.run import CREDENTIAL, own_credential
from tests.mesh.tiny_control_plane import TRUST_DOMAIN, TinyCa, new_key, new_serial

SECRET = "5ec3e7" * 10
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class JoinServer:
    """What it was told is in `heard`. `shown_root` may be another CA's."""

    def __init__(
        self, ca: TinyCa, tmp_path: Path, *, shown_root: str = "", refuses: str = "", knows: str = ""
    ) -> None:
        self._knows = knows
        self.ca = ca
        self.heard: list[JoinRequest] = []
        self._shown_root = shown_root or ca.root.pem
        self._refuses = refuses
        self._tls = _tls(ca, tmp_path)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application()
        app.add_routes([web.get("/v1/root", self._root), web.post("/v1/join", self._join)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        try:
            yield f"127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _root(self, request: web.Request) -> web.Response:
        proof = bundle_proof(hash_secret(self._knows), self._shown_root)
        return web.Response(text=self._shown_root, headers={PROOF: proof} if self._knows else {})

    async def _join(self, request: web.Request) -> web.Response:
        message = decode(await request.read(), JoinRequest)
        self.heard.append(message)
        if self._refuses:
            return web.Response(status=403, text=self._refuses)
        chain = self.ca.sign(message.csr_pem, node_leaf(TRUST_DOMAIN, "here", new_serial(), self.ca.validity))
        bundles = Map({TRUST_DOMAIN: self.ca.root.pem})
        reply = JoinReply(chain_pem=chain, bundles=bundles, node="here", servers=("127.0.0.1:1",))
        return web.Response(body=encode(reply))


def _tls(ca: TinyCa, tmp_path: Path) -> ssl.SSLContext:
    key = new_key()
    template = control_plane_leaf(TRUST_DOMAIN, new_serial(), ca.validity)
    pair = tmp_path / "server.pem"
    pair.write_text(private_pem(key) + ca.sign(build_csr(key, control_plane_id(TRUST_DOMAIN)), template))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    return context


def token(ca: TinyCa, address: str) -> str:
    digest = root_sha256(ca.root.pem)
    return encode_token(JoinToken(id="1", secret=SECRET, node="here", root_sha256=digest, join=address))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.prepare()
    yield home
    home.tidy()


def test_a_token_becomes_a_credential_that_persists(home: Home, tmp_path: Path) -> None:
    async def scenario() -> None:
        ca = TinyCa()
        server = JoinServer(ca, tmp_path)
        async with server.serve() as address:
            text = token(ca, address)
            credential = await own_credential(NodeOptions(home=home, token=text))
            assert credential.spiffe_id == node_id(TRUST_DOMAIN, "here")
            assert credential.servers == ("127.0.0.1:1",)
            assert [each.token for each in server.heard] == [text]
            again = await own_credential(NodeOptions(home=home, token=text))
        assert again == await own_credential(NodeOptions(home=home)) == credential
        assert len(server.heard) == 1
        assert load_credential(home.node_dir / CREDENTIAL) == credential

    asyncio.run(scenario())


def test_a_server_with_another_root_learns_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        right, wrong = TinyCa(), TinyCa()
        for shown in ("", right.root.pem):
            server = JoinServer(wrong, tmp_path, shown_root=shown)
            async with server.serve() as address:
                with pytest.raises((JoinRefused, JoinUnreachable)):
                    await join(token(right, address))
            assert server.heard == []

    asyncio.run(scenario())


def test_roots_that_the_tokens_secret_proves_are_taken_whatever_digest_it_has(
    home: Home, tmp_path: Path
) -> None:
    async def scenario() -> None:
        before, now = TinyCa(), TinyCa()
        stranger = JoinServer(now, tmp_path, knows="another secret")
        async with stranger.serve() as address:
            with pytest.raises(JoinRefused, match="is not the control plane of the join token"):
                await join(token(before, address))
        assert stranger.heard == []
        async with JoinServer(now, tmp_path, knows=SECRET).serve() as address:
            text = token(before, address)
            credential = await own_credential(NodeOptions(home=home, token=text))
        assert credential.roots_pem == now.root.pem
        # The token is used up, its root is not known any more: it is still the one this node joined with.
        assert await own_credential(NodeOptions(home=home, token=text)) == credential

    asyncio.run(scenario())


def test_a_refusal_is_told_and_not_tried_again(home: Home, tmp_path: Path) -> None:
    async def scenario() -> None:
        ca = TinyCa()
        server = JoinServer(ca, tmp_path, refuses="join token 1 for node here has been used")
        async with server.serve() as address:
            with pytest.raises(NodeUnusable, match="has been used"):
                await own_credential(NodeOptions(home=home, token=token(ca, address)))
        assert len(server.heard) == 1

    asyncio.run(scenario())


def test_a_token_says_where_the_control_plane_is_now(home: Home, tmp_path: Path) -> None:
    async def scenario() -> None:
        ca = TinyCa()
        async with JoinServer(ca, tmp_path).serve() as address:
            await own_credential(NodeOptions(home=home, token=token(ca, address)))
        digest = root_sha256(ca.root.pem)
        moved = JoinToken(
            id="2", secret="x", node="here", root_sha256=digest, join="127.0.0.1:9", servers=("a:1",)
        )
        credential = await own_credential(NodeOptions(home=home, token=encode_token(moved)))
        assert credential.servers == ("a:1", "127.0.0.1:1"), "what was learned since may be what is left"
        other = msgspec.structs.replace(moved, root_sha256="00" * 32)
        options = NodeOptions(home=home, token=encode_token(other), join_patience_s=0.0)
        with pytest.raises(NodeUnusable):
            await own_credential(options)

    asyncio.run(scenario())


def test_when_nobody_answers_another_control_plane_is_asked_and_a_refusal_counts(tmp_path: Path) -> None:
    async def scenario() -> None:
        ca = TinyCa()
        willing, refusing = JoinServer(ca, tmp_path), JoinServer(ca, tmp_path, refuses="has been used")
        async with willing.serve() as first, refusing.serve() as second:
            nobody = decode_token(token(ca, "127.0.0.1:1"))
            away = msgspec.structs.replace(nobody, more_joins=("127.0.0.1:2", first, second))
            assert (await join(encode_token(away))).node == "here"
            assert not refusing.heard
            refused = msgspec.structs.replace(nobody, more_joins=(second, first))
            with pytest.raises(JoinRefused, match="has been used"):
                await join(encode_token(refused))
            assert len(willing.heard) == 1
        with pytest.raises(JoinUnreachable, match=r"127\.0\.0\.1:1"):
            await join(encode_token(away))

    asyncio.run(scenario())


def test_without_token_or_credential_there_is_no_node(home: Home) -> None:
    with pytest.raises(NodeUnusable, match="join token"):
        asyncio.run(own_credential(NodeOptions(home=home)))
    with pytest.raises(NodeUnusable, match="starts with"):
        asyncio.run(own_credential(NodeOptions(home=home, token="nonsense")))
