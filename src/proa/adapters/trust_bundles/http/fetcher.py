"""A BundleFetcher over HTTPS, by the two profiles of the SPIFFE Federation standard (§5.2).

`https_web`: the server shows a certificate of its host's name that the system's authorities vouch for.
`https_spiffe`: it shows one SPIFFE id, the one that is expected, under the bundle at hand; its host's name says
nothing. Each fetch has a connection of its own: what was believed of the last one must not be believed of this.
Redirects are not followed.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from proa.core.auth.trust_bundle import MAX_BYTES, BadBundle, TrustBundle, read_bundle, shows_identity
from proa.ports.trust_bundles import BundleSource, BundleUnavailable

PATIENCE_S: Final = 10.0
_FINE: Final = 200


class _WrongServer(OSError):
    """Its certificate is of the right authority and of the wrong identity."""


class HttpBundleFetcher:
    """`web` is what https_web servers are checked against."""

    def __init__(self, web: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        self._web = web

    async def fetch(self, source: BundleSource, roots_pem: str) -> TrustBundle:
        endpoint = source.endpoint
        try:
            async with asyncio.timeout(PATIENCE_S):
                if endpoint.profile == "https_web":
                    connector: aiohttp.TCPConnector = aiohttp.TCPConnector(ssl=self._web())
                else:
                    connector = _SpiffeConnector(_under(roots_pem), endpoint.identity)
                text = await _get(endpoint.url, connector)
        except TimeoutError:
            raise BundleUnavailable(f"no answer within {PATIENCE_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise BundleUnavailable(str(error) or type(error).__name__) from error
        try:
            return read_bundle(text, source.trust_domain)
        except BadBundle as error:
            raise BundleUnavailable(f"{endpoint.url}: {error}") from error


async def _get(url: str, connector: aiohttp.TCPConnector) -> str:
    async with (
        aiohttp.ClientSession(connector=connector, trust_env=False) as http,
        http.get(url, allow_redirects=False, headers={"accept": "application/json"}) as response,
    ):
        if response.status != _FINE:
            raise ValueError(f"{url} answers {response.status}")
        body = b""
        async for part in response.content.iter_chunked(65536):
            body += part
            if len(body) > MAX_BYTES:
                raise ValueError(f"{url} is longer than {MAX_BYTES} bytes")
        text = body.decode(errors="replace").strip()
        if not text.startswith("{"):
            raise ValueError(f"{url} answers no SPIFFE bundle document")
        return text


def _under(roots_pem: str) -> ssl.SSLContext:
    """Any name, under these roots alone, of which one may be an intermediate of somebody's."""
    if not roots_pem:
        raise ValueError("there is no bundle at hand under which an https_spiffe server could show itself")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=roots_pem)
    return context


class _SpiffeConnector(aiohttp.TCPConnector):
    """Hands out connections to servers of one identity. Nothing is asked of another one."""

    def __init__(self, context: ssl.SSLContext, identity: str) -> None:
        super().__init__(ssl=context, force_close=True)
        self._identity = identity

    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        shown = transport.get_extra_info("ssl_object") if transport is not None else None
        certificate = shown.getpeercert(binary_form=True) if shown is not None else None
        if certificate is None or not shows_identity(certificate, self._identity):
            connection.close()
            raise _WrongServer(f"{req.url.host} does not show {self._identity}")
        return connection
