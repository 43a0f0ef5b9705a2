"""Clients of TLS and of streams for tests of gateways and rules for streams, and the rules' subsets."""

import hashlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tests.certificates import Issued
from tests.mesh.harness import Mesh, until

ADDRESS = "127.0.0.1"
Dial = Callable[[], socket.socket]

PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
"""How HTTP/2 begins: the client's settings, all of them the default."""


class Refused(Exception):
    """The handshake, or what came right after it, failed."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a TLS client learned. `served` is SHA-256 of the server's certificate in hex."""

    version: str
    cipher: str
    alpn: str
    served: str
    answer: str = ""


def tls_client(
    port: int | Dial,
    name: str,
    roots: Path | None = None,
    *,
    client: Issued | None = None,
    is_old: bool = False,
    ciphers: str = "",
    curve: str = "",
    alpn: tuple[str, ...] = ("http/1.1",),
    say: str = "GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n",
) -> Seen:
    """One connection that asks for `name`. Without `roots` the server is not checked; one that
    `is_old` knows TLS 1.2 only. Raises Refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = roots is not None
    context.verify_mode = ssl.CERT_REQUIRED if roots else ssl.CERT_NONE
    if roots:
        context.load_verify_locations(roots)
    if client:
        context.load_cert_chain(client.cert, client.key)
    if is_old:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if ciphers:
        context.set_ciphers(ciphers)
    if curve:
        context.set_ecdh_curve(curve)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    try:
        with (
            _opened(port) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            cipher = connection.cipher()
            seen = Seen(
                version=connection.version() or "",
                cipher=cipher[0] if cipher else "",
                alpn=connection.selected_alpn_protocol() or "",
                served=hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest(),
            )
            connection.sendall(say.format(name=name).encode())
            answer = connection.recv(65536)
            if not answer:
                raise Refused("closed")
            if say.startswith("GET"):
                answer += _rest(connection)
            return msgspec.structs.replace(seen, answer=answer.decode(errors="replace"))
    except (ssl.SSLError, ConnectionError, ValueError) as error:  # a ValueError: closed before it began
        raise Refused(str(error)) from None


def _rest(connection: ssl.SSLSocket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def _opened(port: int | Dial) -> socket.socket:
    return socket.create_connection((ADDRESS, port), timeout=20) if isinstance(port, int) else port()


def connect(mesh: Mesh, authority: str, workload: str = "caller") -> Dial:
    """Opens tunnels through a workload's sidecar."""
    proxy = urlsplit(mesh.proxy(workload))

    def dial() -> socket.socket:
        connection = socket.create_connection((str(proxy.hostname), proxy.port or 0), timeout=20)
        connection.sendall(f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            assert byte, f"the proxy hung up: {head!r}"
            head += byte
        assert head.split(b" ", 2)[1] == b"200", head
        return connection

    return dial


def line(port: int | Dial, text: str = "hello") -> str:
    """One line to a port of streams, and what comes back; empty when nobody is there."""
    with _opened(port) as connection:
        try:
            connection.sendall(f"{text}\n".encode())
            return connection.recv(4096).decode().strip()
        except ConnectionError:
            return ""


def hangs_up(connection: socket.socket) -> bool:
    """Waits for the other side's next word, and whether it is its last."""
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def until_ended_after_an_answer(port: int | Dial) -> None:
    """At a port of lines that ends streams by some limit. On a busy machine one may reach it before it is answered."""

    def ended() -> bool:
        with _opened(port) as connection:
            try:
                connection.sendall(b"hello\n")
                return connection.recv(100) != b"" and hangs_up(connection)
            except ConnectionError:
                return False

    until(ended, "a stream is answered and then ended")


def subsets(host: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {host}}}
spec: {{host: {host}, subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]}}
"""


def eventually(*arguments: object, **named: object) -> Seen:
    """A handshake as soon as the secret has reached the gateway."""

    def seen() -> Seen | None:
        try:
            return tls_client(*arguments, **named)  # type: ignore[arg-type]
        except Refused:
            return None

    return until(seen, "a handshake")  # type: ignore[return-value]


def refused(*arguments: object, **named: object) -> bool:
    try:
        tls_client(*arguments, **named)  # type: ignore[arg-type]
    except Refused:
        return True
    return False
