"""TLS of the server: its key and chain, the roots clients are checked against, and who a verified client is."""

import asyncio
import socket
import ssl
import struct
import tempfile
from ipaddress import IPv6Address, ip_address
from typing import Final

from cryptography import x509

from proa.core.auth.denial import Denial
from proa.core.auth.spiffe import InvalidSpiffeId, parse_spiffe_id
from proa.servers.grpc_edge.calls import Peer, PeerRefused

ALPN: Final = "h2"
NEEDED: Final = "a client certificate with one SPIFFE id is needed"
_VERIFICATION: Final[dict[int, Denial]] = {9: "certificate not yet valid", 10: "certificate expired"}
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL; all else is a chain that leads nowhere."""


class Credentials:
    """The server's key and chain in force, with the roots clients are checked against; `set` changes them for
    connections to come. With `takes_strangers` a client may come without a certificate, and its handler has to know
    it by something else. `alpn` is what is spoken over it. Raises ssl.SSLError for what is no key, chain or root."""

    def __init__(
        self,
        key_pem: str,
        chain_pem: str,
        root_pem: str,
        *,
        takes_strangers: bool = False,
        alpn: str = ALPN,
    ) -> None:
        self._alpn = alpn
        self._verify = ssl.CERT_OPTIONAL if takes_strangers else ssl.CERT_REQUIRED
        self.set(key_pem, chain_pem, root_pem)

    def set(self, key_pem: str, chain_pem: str, root_pem: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = self._verify
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        # A session taken up again would be judged by the roots of the day it began.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        context.set_alpn_protocols([self._alpn])
        context.load_verify_locations(cadata=root_pem)
        # The ssl module reads files only: one that nobody else may read, for a moment.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(key_pem + chain_pem)
            file.flush()
            context.load_cert_chain(file.name)
        self.context = context


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Whom the verified certificate names. Raises PeerRefused when it has not exactly one SPIFFE id."""
    connection = transport.get_extra_info("ssl_object")
    certificate = connection.getpeercert(binary_form=True) if connection is not None else None
    try:
        return read_peer(x509.load_der_x509_certificate(certificate or b""))
    except ValueError as error:
        code: Denial = "wrong identity" if certificate else "no certificate"
        raise PeerRefused(NEEDED, code) from error


def read_peer(read: x509.Certificate) -> Peer:
    """Whom a verified certificate names. Raises PeerRefused when it has not exactly one SPIFFE id."""
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        return Peer(
            identity=parse_spiffe_id(uri),
            serial=f"{read.serial_number:x}",
            names=tuple(names.get_values_for_type(x509.DNSName)),
        )
    except (ValueError, InvalidSpiffeId, x509.ExtensionNotFound) as error:
        raise PeerRefused(NEEDED, "wrong identity") from error


def why_no_handshake(error: BaseException) -> Denial | None:
    """What was wrong with a client's certificate, as OpenSSL says it; None when the peer just went away."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, "certificate untrusted")
    if isinstance(error, ssl.SSLError):
        if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
            return "no certificate"
        return "handshake failed"
    return None


def has_certificate(transport: asyncio.BaseTransport) -> bool:
    """Whether the client showed one at all."""
    connection = transport.get_extra_info("ssl_object")
    return connection is not None and bool(connection.getpeercert(binary_form=True))


def process_of(transport: asyncio.BaseTransport) -> tuple[int, int]:
    """The process at the other end of a Unix socket when it connected, and its user; (0, -1) of any other transport."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is None or peer.family != socket.AF_UNIX:
        return 0, -1
    pid, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid), int(user)


def is_loopback(peername: object) -> bool:
    """Whether a socket's word for its peer is an address of loopback; Unix sockets have none."""
    if not isinstance(peername, tuple) or not peername:
        return False
    try:
        address = ip_address(str(peername[0]).partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
