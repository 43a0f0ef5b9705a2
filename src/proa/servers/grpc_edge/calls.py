"""What a handler sees of a call, and which status its failure stands for."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec
from immutables import Map

from proa.core.auth.denial import Denial
from proa.core.auth.spiffe import SpiffeId, node_of
from proa.core.grpc_wire.status import Code, Status
from proa.ports.failures import StoreTemporary


class PeerRefused(Exception):
    """The call ends with PERMISSION_DENIED and this text. With a `code` it is counted as that here; without, by whoever
    said it."""

    def __init__(self, reason: str, code: Denial | None = None) -> None:
        super().__init__(reason)
        self.code = code


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is at the other end by his verified certificate. `serial` is lower-case hex."""

    identity: SpiffeId
    serial: str
    names: tuple[str, ...] = ()


class BadRequest(Exception):
    """The call ends with INVALID_ARGUMENT and this text."""


class NotNow(Exception):
    """The call ends with UNAVAILABLE and this text; the peer tries again."""


class LocalStream(Protocol):
    """One bidirectional call. `read` gives None at the peer's end. `write` may be called by one task at a time, and
    returns when the message is on its way: a peer that does not read holds it back. When the call is over before its
    handler is, the handler is cancelled."""

    @property
    def metadata(self) -> Mapping[str, str]: ...
    @property
    def peer_pid(self) -> int:
        """The process at the other end of a Unix socket, 0 of any other connection."""

    @property
    def peer_user(self) -> int:
        """The user id of that process, -1 of any other connection."""

    async def read(self) -> bytes | None: ...
    async def write(self, body: bytes) -> None: ...


class ByteStream(LocalStream, Protocol):
    """One whose peer has a certificate."""

    @property
    def peer(self) -> SpiffeId:
        """Raises PeerRefused when the certificate has not exactly one SPIFFE id."""

    @property
    def certificate(self) -> Peer | None:
        """None of a connection without a client certificate, where the server takes such. Raises PeerRefused for one
        that is not as it should be."""

    @property
    def address(self) -> str:
        """Where the peer is, without its port; "" for a Unix socket."""

    @property
    def is_local(self) -> bool:
        """Whether the peer is on this host and came over loopback."""


StreamHandler = Callable[[ByteStream], Awaitable[None]]
UnaryHandler = Callable[[SpiffeId, bytes], Awaitable[bytes]]


class Service(msgspec.Struct, frozen=True):
    """A service's methods by path: bidirectional ones of raw bytes, and `unary_method`s."""

    methods: Map[str, StreamHandler]


class _Cardinality(Exception):
    """The client sent another number of messages than the method takes."""


def service(name: str, methods: Mapping[str, StreamHandler]) -> Service:
    return Service(Map({f"/{name}/{method}": handler for method, handler in methods.items()}))


def unary_method(handler: UnaryHandler) -> StreamHandler:
    """A method with one message each way."""

    async def call(stream: ByteStream) -> None:
        peer = stream.peer
        request = await stream.read()
        if request is None or await stream.read() is not None:
            raise _Cardinality
        await stream.write(await handler(peer, request))

    return call


def outcome(error: Exception) -> Status | None:
    """How a call ends whose handler failed so; None for a bug."""
    match error:
        case PeerRefused():
            return Status(Code.PERMISSION_DENIED, str(error))
        case BadRequest():
            return Status(Code.INVALID_ARGUMENT, str(error))
        case NotNow() | StoreTemporary():
            return Status(Code.UNAVAILABLE, str(error))
        case _Cardinality():
            return Status(Code.UNIMPLEMENTED, "this method takes one message")
        case ExceptionGroup():
            refusal = refusal_in(error)
            return outcome(refusal) if refusal is not None else None
    return None


def refusal_in(group: ExceptionGroup[Exception]) -> PeerRefused | None:
    """The refusal that ended a handler's tasks; None when there is anything else in the group."""
    refusals, others = group.split(PeerRefused)
    if refusals is None or others is not None:
        return None
    first: BaseException = refusals
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, PeerRefused) else None


def node_name(peer: SpiffeId, trust_domain: str) -> str:
    """The node a certificate is of. Raises PeerRefused for any other identity."""
    name = node_of(peer) if peer.trust_domain == trust_domain else None
    if name is None:
        code: Denial = "wrong identity" if peer.trust_domain == trust_domain else "wrong trust domain"
        raise PeerRefused(f"{peer} is no node of {trust_domain}", code)
    return name
