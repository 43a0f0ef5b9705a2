"""A CA that Vault signs. The server here speaks the shapes of Vault's documented API over HTTPS (Vault itself is in no
distribution that we test on), and signs with a real root, so that chains are checked for what they are."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from proa.adapters.upstream_authorities.vault import VaultAccess, VaultAuthority
from proa.control_plane.ca_keys import generate_key
from proa.control_plane.upstream import UpstreamSource
from proa.core.auth.ca import Ca, issue, make_root
from proa.core.auth.plugged import Unusable
from proa.core.auth.template import intermediate_ca
from proa.ports.failures import StorePermanent, StoreTemporary
from tests.certificates import Authority as HttpsAuthority

TD = "cluster.local"
ROOT = make_root(TD, ec.generate_private_key(ec.SECP256R1()), 9, time.time())


class Vault:
    """Answers `sign-intermediate`. `status` other than 200 is what it says instead."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[dict[str, object]] = []

    async def sign(self, request: web.Request) -> web.Response:
        if request.headers.get("x-vault-token") != "s.token":
            return web.json_response({"errors": ["permission denied"]}, status=403)
        if self.status != 200:
            return web.json_response({"errors": ["Vault is sealed"]}, status=self.status)
        body = await request.json()
        self.asked.append(body)
        csr = x509.load_pem_x509_csr(str(body["csr"]).encode())
        key = csr.public_key()
        assert csr.is_signature_valid
        assert isinstance(key, ec.EllipticCurvePublicKey)
        ttl = int(str(body["ttl"]).removesuffix("s"))
        template = intermediate_ca(TD, 1000 + len(self.asked), ROOT.validity(time.time(), ttl))
        signed = Ca(key=ROOT.key, certificate=issue(template, key, ROOT))
        data = {
            "certificate": signed.pem.strip(),
            "issuing_ca": ROOT.pem.strip(),
            "ca_chain": [ROOT.pem.strip()],
            "serial_number": "03:e9",
            "expiration": 0,
        }
        return web.json_response({"request_id": "1", "lease_duration": 0, "data": data})


@contextlib.asynccontextmanager
async def vault_at(folder: Path) -> AsyncIterator[tuple[Vault, VaultAccess]]:
    vault, app = Vault(), web.Application()
    app.router.add_post("/v1/pki_int/root/sign-intermediate", vault.sign)
    https = HttpsAuthority(folder)
    served = https.issue("localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(served.cert, served.key)
    (folder / "token").write_text("s.token\n")
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        bound = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, bound, ssl_context=tls).start()
        address = f"https://localhost:{bound.getsockname()[1]}"
        yield (
            vault,
            VaultAccess(address=address, mount="pki_int", token_file=folder / "token", ca_file=https.roots),
        )
    finally:
        await runner.cleanup()


def source(access: VaultAccess, now: list[float], ttl_s: int = 3600) -> UpstreamSource:
    return UpstreamSource(VaultAuthority(access), TD, generate_key, lambda: now[0], ttl_s)


def test_a_ca_is_signed_and_anew_at_half_its_life(tmp_path: Path) -> None:
    async def body() -> None:
        async with vault_at(tmp_path) as (vault, access):
            now = [time.time()]
            upstream = source(access, now)
            first = await upstream.read(now[0])
            assert isinstance(first, Ca)
            assert first.root == ROOT.certificate
            assert vault.asked[0]["max_path_length"] == 0
            assert await upstream.news(now[0]) is None
            now[0] += 2000
            second = await upstream.news(now[0])
            assert isinstance(second, Ca)
            assert second.certificate.public_key() != first.certificate.public_key(), "with a new key"
            upstream.look_again()
            assert await upstream.news(now[0]) is None, "not at once"

    asyncio.run(body())


def test_an_outage_keeps_the_ca_at_hand(tmp_path: Path) -> None:
    async def body() -> None:
        async with vault_at(tmp_path) as (vault, access):
            now = [time.time()]
            upstream = source(access, now)
            vault.status = 503
            with pytest.raises(StoreTemporary, match="sealed"):
                await upstream.read(now[0])
            now[0] += 61
            told = await upstream.news(now[0])
            assert isinstance(told, Unusable)
            assert "sealed" in told.faults[0]

    asyncio.run(body())


def test_what_vault_refuses_is_said(tmp_path: Path) -> None:
    async def body() -> None:
        async with vault_at(tmp_path) as (_, access):
            (tmp_path / "token").write_text("another")
            with pytest.raises(StorePermanent, match="permission denied"):
                await VaultAuthority(access).sign_ca("csr", 60)
            told = await source(access, [time.time()]).read(time.time())
            assert isinstance(told, Unusable)
            (tmp_path / "token").unlink()
            with pytest.raises(StorePermanent, match="cannot be read"):
                await VaultAuthority(access).sign_ca("csr", 60)

    asyncio.run(body())


def test_a_server_that_is_not_checked_is_not_asked(tmp_path: Path) -> None:
    async def body() -> None:
        async with vault_at(tmp_path) as (vault, access):
            unchecked = VaultAccess(address=access.address, mount="pki_int", token_file=access.token_file)
            with pytest.raises(StoreTemporary, match="cannot be reached"):
                await VaultAuthority(unchecked).sign_ca("csr", 60)
            assert not vault.asked

    asyncio.run(body())
