"""An UpstreamAuthority over SPIRE, for a mesh whose trust domain is SPIRE's.

The Workload API of the SPIRE agent on this host says who we are: an X509-SVID with its key, and the trust domain's
bundle. With that identity the SPIRE server is asked for a CA (`NewDownstreamX509CA`), which it gives to entries that
are `downstream`. The server is known by its SPIFFE id under the bundle, and by nothing else: it has no name that a
certificate would vouch for.
"""

import ssl
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from proa.adapters.upstream_authorities.spire.calls import CallFailed, first_answer
from proa.adapters.upstream_authorities.spire.messages import (
    SIGN,
    DownstreamRequest,
    DownstreamResponse,
    read,
)
from proa.core.auth.spiffe import SpiffeId
from proa.core.auth.workload_api import FETCH_SVIDS, SECURITY, SERVICE, BadAnswer, Svid, read_svids
from proa.core.grpc_wire.asking import Call
from proa.core.grpc_wire.status import Code
from proa.ports.failures import StorePermanent, StoreTemporary

PATIENCE_S: Final = 15.0
SERVER_PATH: Final = "/spire/server"
MOST_TTL: Final = 2**31 - 1
TEMPORARY: Final = frozenset(
    (
        Code.UNAVAILABLE,
        Code.DEADLINE_EXCEEDED,
        Code.RESOURCE_EXHAUSTED,
        Code.ABORTED,
        Code.INTERNAL,
        Code.CANCELLED,
        Code.UNKNOWN,
    )
)
"""After all others somebody must change something, an entry in SPIRE most likely."""


class SpireAccess(msgspec.Struct, frozen=True, kw_only=True):
    """The socket of SPIRE's agent on this host, and where its server is."""

    socket: Path
    host: str
    port: int = 8081

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class SpireAuthority:
    """Keeps the contract of ports.upstream_authority.UpstreamAuthority."""

    def __init__(self, access: SpireAccess, trust_domain: str) -> None:
        self._access = access
        self._trust_domain = trust_domain

    async def sign_ca(self, csr_pem: str, ttl_s: int) -> str:
        svid = await self._svid()
        csr = x509.load_pem_x509_csr(csr_pem.encode()).public_bytes(Encoding.DER)
        body = DownstreamRequest(csr=csr, preferred_ttl=min(ttl_s, MOST_TTL)).SerializeToString()
        try:
            answer = await first_answer(
                (self._access.host, self._access.port),
                Call(SIGN, body),
                PATIENCE_S,
                _context(svid),
                self._check_server,
            )
        except CallFailed as error:
            raise self._failure(f"the SPIRE server at {self._access}", error) from None
        signed = read(DownstreamResponse, answer)
        chain = getattr(signed, "ca_cert_chain", ())
        if not chain:
            raise StorePermanent(f"the SPIRE server at {self._access} answers no CA")
        # All that belongs to it is in the two; what more the trust domain has is of no use to a chain.
        return "".join(map(_pem, (*chain, *getattr(signed, "x509_authorities"))))  # noqa: B009

    async def roots(self) -> str:
        """As the agent on this host has them now."""
        return (await self._svid()).bundle

    async def _svid(self) -> Svid:
        agent = f"the SPIRE agent at {self._access.socket}"
        try:
            body = await first_answer(
                self._access.socket, Call(f"/{SERVICE}/{FETCH_SVIDS}", b"", (SECURITY,)), PATIENCE_S
            )
        except CallFailed as error:
            raise self._failure(agent, error) from None
        try:
            svids = read_svids(body)
        except BadAnswer as error:
            raise StorePermanent(f"{agent} gives {error}") from None
        for svid in svids:
            if svid.identity.trust_domain != self._trust_domain:
                raise StorePermanent(
                    f"{agent} gives {svid.identity}, the mesh's trust domain is {self._trust_domain}: "
                    "give --trust-domain"
                )
            return svid  # the first is the default one
        raise StorePermanent(f"{agent} gives no identity")

    def _check_server(self, connection: ssl.SSLObject) -> None:
        wanted = str(SpiffeId(self._trust_domain, SERVER_PATH))
        shown = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
        try:
            names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            found = names.get_values_for_type(x509.UniformResourceIdentifier)
        except x509.ExtensionNotFound:
            found = []
        if found != [wanted]:
            raise StorePermanent(
                f"who answers at {self._access} is {', '.join(found)[:200] or 'nobody'}, not {wanted}"
            )

    def _failure(self, who: str, error: CallFailed) -> StoreTemporary | StorePermanent:
        code = error.status.code
        if code in TEMPORARY:
            return StoreTemporary(f"{who} cannot be asked ({code.name}): {error}", 5.0)
        return StorePermanent(f"{who} refuses ({code.name}): {error}")


def _context(svid: Svid) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # `_check_server` says who it must be
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    context.load_verify_locations(cadata=svid.bundle)
    # The ssl module reads files only: one that nobody else may read, for a moment.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(svid.key + svid.chain)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()
