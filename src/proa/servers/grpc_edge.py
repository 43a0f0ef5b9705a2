"""gRPC without generated code: handlers of raw bytes, one small interface between our protocols and the wire.

The xDS and node servers speak through `ByteStream`; which library carries the HTTP/2 frames is known here alone, so
that it can be replaced. Peers are identified by the certificate of their connection and by nothing they say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from urllib.parse import unquote

import grpc
import grpc.aio
from cryptography import x509

from proa.core.auth.spiffe import InvalidSpiffeId, SpiffeId, node_of, parse_spiffe_id
from proa.ports.failures import StoreTemporary

KEEPALIVE: Final = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # else a minute, when a ping is under way as the peer falls silent
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.so_reuseport", 0),
    ("grpc.server_handshake_timeout_ms", 10_000),
)
"""A peer that vanished without a word is noticed within 15 s."""
HEAR_OUT_S: Final = 1.0


class PeerRefused(Exception):
    """The call ends with PERMISSION_DENIED and this text."""


class NotNow(Exception):
    """The call ends with UNAVAILABLE and this text; the peer tries again."""


class ByteStream(Protocol):
    """One bidirectional call. `read` gives None at the peer's end. `write` may be called by one task at a time."""

    @property
    def peer(self) -> SpiffeId: ...
    @property
    def is_local(self) -> bool:
        """Whether the peer is on this host and came over loopback."""

    @property
    def metadata(self) -> Mapping[str, str]: ...
    async def read(self) -> bytes | None: ...
    async def write(self, body: bytes) -> None: ...


if TYPE_CHECKING:  # generic in the stubs only
    Method = grpc.RpcMethodHandler[bytes, bytes]
    Service = grpc.GenericRpcHandler[bytes, bytes]
else:
    Method = grpc.RpcMethodHandler
    Service = grpc.GenericRpcHandler

StreamHandler = Callable[[ByteStream], Awaitable[None]]
UnaryHandler = Callable[[SpiffeId, bytes], Awaitable[bytes]]


class _GrpcStream:
    def __init__(self, context: Any, peer: SpiffeId) -> None:
        self._context = context
        self._heard = False
        self.peer = peer
        self.is_local = is_loopback(context.peer())
        self.metadata: Mapping[str, str] = {
            key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
        }

    async def read(self) -> bytes | None:
        self._heard = True
        message = await self._context.read()
        return bytes(message) if isinstance(message, bytes) else None  # else it is grpc.aio.EOF

    async def write(self, body: bytes) -> None:
        await self._context.write(body)

    async def hear_out(self) -> None:
        """Take the peer's first message before refusing it. A call that ends while its client is writing ends there
        as INTERNAL with gRPC's Python client, and the reason is lost."""
        if not self._heard:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEAR_OUT_S):
                    await self.read()


def is_loopback(peer: str) -> bool:
    """Whether gRPC's word for a peer's address (`ipv4:127.0.0.1:5000`, `ipv6:%5B::1%5D:5000`) is one of loopback."""
    family, _, rest = unquote(peer).partition(":")
    if family not in ("ipv4", "ipv6"):
        return False
    host = rest.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _peer(context: Any) -> SpiffeId:
    """The SPIFFE id of the peer's verified certificate. Raises PeerRefused when it has not exactly one."""
    certificates = context.auth_context().get("x509_pem_cert", ())
    try:
        certificate = x509.load_pem_x509_certificate(next(iter(certificates)))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        return parse_spiffe_id(uri)
    except (StopIteration, ValueError, InvalidSpiffeId, x509.ExtensionNotFound) as error:
        raise PeerRefused("a client certificate with one SPIFFE id is needed") from error


async def answering(context: Any, work: Awaitable[Any]) -> Any:
    """The work's answer, or the call ended with the status that its failure stands for; a bug propagates."""
    try:
        return await work
    except PeerRefused as error:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
    except (NotNow, StoreTemporary) as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
    except ExceptionGroup as group:
        refusal = refusal_in(group)
        if refusal is None:
            raise
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(refusal))


def refusal_in(group: ExceptionGroup[Exception]) -> PeerRefused | None:
    """The refusal that ended a handler's tasks; None when there is anything else in the group."""
    refusals, others = group.split(PeerRefused)
    if refusals is None or others is not None:
        return None
    first: BaseException = refusals
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, PeerRefused) else None


def stream_method(handler: StreamHandler) -> Method:
    """A bidirectional method of raw bytes."""

    async def call(_requests: Any, context: Any) -> None:
        async def work() -> None:
            stream = _GrpcStream(context, _peer(context))
            try:
                await handler(stream)
            except (PeerRefused, NotNow, StoreTemporary, ExceptionGroup):
                await stream.hear_out()
                raise

        await answering(context, work())

    return grpc.stream_stream_rpc_method_handler(call)


def unary_method(handler: UnaryHandler) -> Method:
    """A method with one message each way."""

    async def call(request: bytes, context: Any) -> Any:
        async def work() -> bytes:
            return await handler(_peer(context), request)

        return await answering(context, work())

    return grpc.unary_unary_rpc_method_handler(call)


def service(name: str, methods: Mapping[str, Method]) -> Service:
    return grpc.method_handlers_generic_handler(name, dict(methods))


def node_name(peer: SpiffeId, trust_domain: str) -> str:
    """The node a certificate is of. Raises PeerRefused for any other identity."""
    name = node_of(peer) if peer.trust_domain == trust_domain else None
    if name is None:
        raise PeerRefused(f"{peer} is no node of {trust_domain}")
    return name


class Credentials:
    """The server's key and chain in force, with the roots clients are checked against; `set` changes them for
    connections to come."""

    def __init__(self, key_pem: str, chain_pem: str, root_pem: str) -> None:
        self._now = self._configure(key_pem, chain_pem, root_pem)
        self._next: grpc.ServerCertificateConfiguration | None = None

    @staticmethod
    def _configure(key_pem: str, chain_pem: str, root_pem: str) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(key_pem.encode(), chain_pem.encode())], root_certificates=root_pem.encode()
        )

    def set(self, key_pem: str, chain_pem: str, root_pem: str) -> None:
        self._next = self._configure(key_pem, chain_pem, root_pem)

    def _fetch(self) -> grpc.ServerCertificateConfiguration:
        following, self._next = self._next, None
        # None means "unchanged", which the stubs forget.
        return cast(grpc.ServerCertificateConfiguration, following)

    def build(self) -> grpc.ServerCredentials:
        return grpc.dynamic_ssl_server_credentials(self._now, self._fetch, require_client_authentication=True)


def build_server(*services: Service) -> grpc.aio.Server:
    server = grpc.aio.server(options=KEEPALIVE)
    server.add_generic_rpc_handlers(services)
    return server
