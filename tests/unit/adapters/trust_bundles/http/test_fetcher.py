"""Bundles from real servers, by both profiles."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from proa.adapters.trust_bundles.http import HttpBundleFetcher
from proa.core.auth.federation import BundleEndpoint, Profile
from proa.core.auth.trust_bundle import MAX_BYTES, TrustBundle, write_document
from proa.ports.trust_bundles import BundleSource, BundleUnavailable
from tests.certificates import Authority, Issued
from tests.federation import PARTNER

SERVER = f"spiffe://{PARTNER}/spire/server"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def fetched(
    shown: Issued, answer: Answer, roots_pem: str, *, profile: Profile = "https_spiffe", web_roots: str = ""
) -> TrustBundle:
    """What is made of a server that shows this certificate and gives one answer."""

    def trusted() -> ssl.SSLContext:
        return ssl.create_default_context(cadata=web_roots)

    async def ask() -> TrustBundle:
        app = web.Application()
        app.router.add_get("/{tail:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.cert, shown.key)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            url = f"https://localhost:{runner.addresses[0][1]}/bundle"
            identity = SERVER if profile == "https_spiffe" else ""
            source = BundleSource(trust_domain=PARTNER, endpoint=BundleEndpoint(url, profile, identity))
            return await HttpBundleFetcher(trusted).fetch(source, roots_pem)
        finally:
            await runner.cleanup()

    return asyncio.run(ask())


def says(text: bytes, status: int = 200) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=text, status=status)

    return answer


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("partner"), "partner", PARTNER)


def test_a_server_of_the_right_identity_is_believed(partner: Authority) -> None:
    pem = partner.roots.read_text()
    found = fetched(partner.issue(SERVER), says(write_document(pem, 60, 3)), pem)
    assert found == TrustBundle(pem=pem, refresh_hint=60, sequence=3)


def test_any_other_server_is_not_even_asked(partner: Authority, tmp_path: Path) -> None:
    pem, asked = partner.roots.read_text(), list[str]()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=write_document(pem, 60, 3))

    stranger = Authority(tmp_path, "stranger", PARTNER)
    for shown, words in (
        (stranger.issue(SERVER), "CERTIFICATE_VERIFY_FAILED"),
        (partner.issue(f"spiffe://{PARTNER}/other"), "does not show"),
        (partner.issue(SERVER, f"spiffe://{PARTNER}/other", file="two"), "does not show"),
        (partner.issue("localhost"), "does not show"),
    ):
        with pytest.raises(BundleUnavailable, match=words):
            fetched(shown, answer, pem)
    with pytest.raises(BundleUnavailable, match="no bundle at hand"):
        fetched(partner.issue(SERVER), answer, "")
    assert asked == []


def test_a_web_server_is_known_by_its_name(partner: Authority, tmp_path: Path) -> None:
    pem, host = partner.roots.read_text(), Authority(tmp_path, "web")
    trusted = host.roots.read_text()
    document = says(write_document(pem, 60, 3))
    found = fetched(host.issue("localhost"), document, "", profile="https_web", web_roots=trusted)
    assert found.pem == pem
    for shown in (host.issue("other.example"), partner.issue("localhost")):
        with pytest.raises(BundleUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            fetched(shown, document, pem, profile="https_web", web_roots=trusted)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{}", 503, "503"),
        (b"", 302, "302"),
        (b"{}", 200, "keys"),
        (b"-----BEGIN CERTIFICATE-----", 200, "no SPIFFE bundle document"),
        (b"{" + b" " * MAX_BYTES, 200, "longer than"),
    ],
)
def test_what_is_no_bundle_is_refused(partner: Authority, body: bytes, status: int, words: str) -> None:
    with pytest.raises(BundleUnavailable, match=words):
        fetched(partner.issue(SERVER), says(body, status), partner.roots.read_text())
