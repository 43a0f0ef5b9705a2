"""One connection's socket and its calls: carries bytes to and from `ServerConnection`, and runs a handler per call.

What is written in one turn of the event loop goes out together: many streams of one connection get their share of a
change in one TLS record and one system call.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Final

from immutables import Map

from proa.core.auth.denial import Denial
from proa.core.auth.spiffe import SpiffeId
from proa.core.grpc_wire.connection import ServerConnection
from proa.core.grpc_wire.events import Broken, Drained, Ended, Event, HalfClosed, Opened, Received
from proa.core.grpc_wire.request import Head
from proa.core.grpc_wire.status import OK, Code, Status
from proa.servers.grpc_edge.calls import Peer, PeerRefused, StreamHandler, outcome, refusal_in
from proa.servers.grpc_edge.credentials import (
    ALPN,
    has_certificate,
    is_loopback,
    peer_of,
    process_of,
)

HEAR_OUT_S: Final = 1.0
HIGH_WATER: Final = 256 * 1024
"""Bytes that the transport keeps for a peer that does not read, beyond which handlers wait."""
RECORD: Final = 16 * 1024
"""Bytes of a full TLS record: so much is written at once, so that the first of many need not wait for the last."""
_LEAVING: Final = Status(Code.UNAVAILABLE, "the server is going away")

STRANGER: Final = "(stranger)"

Judge = Callable[[Peer], str]
"""Why a peer with a good certificate is refused now, "" when he is not."""

log = logging.getLogger("proa.servers.grpc")


class Call:
    """A `ByteStream`. `ending`: what the client is told when the handler's task has ended."""

    __slots__ = (
        "_connection",
        "_drained",
        "_has_all",
        "_heard",
        "_inbox",
        "_news",
        "ending",
        "head",
        "number",
        "task",
    )

    def __init__(self, connection: "Connection", number: int, head: Head) -> None:
        self.number = number
        self.head = head
        self.task: asyncio.Task[None] | None = None
        self.ending = _LEAVING
        self._connection = connection
        self._inbox: deque[bytes] = deque()
        self._news: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._has_all = self._heard = False

    @property
    def peer(self) -> SpiffeId:
        return self._connection.peer

    @property
    def certificate(self) -> Peer | None:
        if not self._connection.is_known:
            return None
        self._connection.judge()
        return self._connection.certificate

    @property
    def address(self) -> str:
        return self._connection.address

    @property
    def is_local(self) -> bool:
        return self._connection.is_local

    @property
    def peer_pid(self) -> int:
        return self._connection.process[0]

    @property
    def peer_user(self) -> int:
        return self._connection.process[1]

    @property
    def metadata(self) -> Mapping[str, str]:
        return dict(self.head.metadata)

    async def read(self) -> bytes | None:
        self._heard = True
        while not self._inbox:
            if self._has_all:
                return None
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        body = self._inbox.popleft()
        self._connection.consumed(self.number, body)
        return body

    async def write(self, body: bytes) -> None:
        if not self._connection.send(self.number, body):
            # When the call is over this is never done, and the cancellation of its handler is under way.
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def received(self, body: bytes) -> None:
        self._inbox.append(body)
        _wake(self._news)

    def half_closed(self) -> None:
        self._has_all = True
        _wake(self._news)

    def drained(self) -> None:
        _wake(self._drained)

    def hear(self, event: Received | Drained | HalfClosed | Ended) -> None:
        match event:
            case Received(body=body):
                self.received(body)
            case Drained():
                self.drained()
            case HalfClosed():
                self.half_closed()
            case Ended() if self.task is not None:
                self.task.cancel()

    async def run(self, handler: StreamHandler) -> Status:
        """The handler to its end, within the client's deadline."""
        try:
            async with asyncio.timeout(self.head.timeout_s) as deadline:
                try:
                    await handler(self)
                    return OK
                except Exception as error:
                    ending = outcome(error)
                    if ending is None:
                        raise
                    self._connection.count(error)
                    await self._hear_out()
                    return ending
        except TimeoutError:
            if not deadline.expired():
                raise
            return Status(Code.DEADLINE_EXCEEDED, "the deadline has passed")

    async def _hear_out(self) -> None:
        """Take the peer's first message before refusing it. A call that ends while its client is writing ends there
        as INTERNAL with gRPC's Python client, and the reason is lost."""
        if not self._heard:
            try:
                async with asyncio.timeout(HEAR_OUT_S):
                    await self.read()
            except TimeoutError:
                pass


async def _serve(call: Call, handler: StreamHandler) -> None:
    try:
        call.ending = await call.run(handler)
    except Exception:
        log.exception("the handler of %s failed", call.head.path)
        call.ending = Status(Code.UNKNOWN, "a bug of the server, which its log tells")


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


class Connection(asyncio.Protocol):
    """`tasks` outlives it; `on_end` is called once, when the socket is gone."""

    def __init__(
        self,
        methods: Map[str, StreamHandler],
        tasks: asyncio.TaskGroup,
        on_begin: Callable[["Connection"], None],
        on_end: Callable[["Connection"], None],
        judge: Judge | None = None,
        denied: Callable[[Denial, str], None] = lambda reason, peer: None,
    ) -> None:
        self._methods = methods
        self._tasks = tasks
        self._on_begin, self._on_end = on_begin, on_end
        self._judge = judge
        self._denied = denied
        self._loop = asyncio.get_running_loop()
        self._wire = ServerConnection()
        self._calls: dict[int, Call] = {}
        self._transport: asyncio.Transport | None = None
        self._is_flushing = self._is_leaving = False

    @cached_property
    def certificate(self) -> Peer:
        """Raises PeerRefused."""
        assert self._transport is not None
        return peer_of(self._transport)

    @property
    def peer(self) -> SpiffeId:
        """Raises PeerRefused: by the judge's word for whom a good certificate is not enough."""
        self.judge()
        return self.certificate.identity

    def judge(self) -> None:
        """Raises PeerRefused for who is revoked now."""
        reason = self._judge(self.certificate) if self._judge is not None else ""
        if reason:
            raise PeerRefused(reason, "revoked")

    @cached_property
    def is_known(self) -> bool:
        return self._transport is not None and has_certificate(self._transport)

    @cached_property
    def address(self) -> str:
        peername = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peername[0]) if isinstance(peername, tuple) and peername else ""

    @cached_property
    def is_local(self) -> bool:
        return self._transport is not None and is_loopback(self._transport.get_extra_info("peername"))

    @cached_property
    def process(self) -> tuple[int, int]:
        return (0, -1) if self._transport is None else process_of(self._transport)

    # What calls ask.

    def send(self, number: int, body: bytes) -> bool:
        is_on_its_way = self._wire.send(number, body)
        if is_on_its_way and self._wire.output >= RECORD:  # else `Drained` would come before it is waited for
            self._flush()
        else:
            self._flush_soon()
        return is_on_its_way

    def consumed(self, number: int, body: bytes) -> None:
        self._wire.consumed(number, body)
        self._flush_soon()

    def count(self, error: Exception) -> None:
        """A call was refused for what its peer is."""
        refused = refusal_in(error) if isinstance(error, ExceptionGroup) else error
        if isinstance(refused, PeerRefused) and refused.code is not None:
            try:
                who = str(self.certificate.identity)
            except PeerRefused:
                who = STRANGER
            self._denied(refused.code, who)

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != ALPN:
            transport.abort()
            return
        self._transport = transport
        transport.set_write_buffer_limits(HIGH_WATER)
        self._on_begin(self)
        self._flush_soon()

    def data_received(self, data: bytes) -> None:
        self._perform(self._wire.receive(data, time.monotonic()))
        self._flush_soon()

    def pause_writing(self) -> None:
        self._wire.hold_back(True)

    def resume_writing(self) -> None:
        self._wire.hold_back(False)
        self._flush_soon()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._cancel_calls()
        self._on_end(self)

    # What the server asks.

    def tick(self) -> None:
        """A second has passed."""
        if self._judge is not None and self._calls and self.is_known:
            try:
                self.judge()
            except PeerRefused as refused:
                log.warning("the connection of %s is ended: %s", self._name(), refused)
                self.abort()
                return
        if self._wire.tick():
            self._flush_soon()
        elif self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Takes no new calls, and closes when the last one has ended."""
        self._is_leaving = True
        self._wire.leave()
        self._flush_soon()

    def end(self) -> None:
        """Ends all calls with UNAVAILABLE."""
        self._cancel_calls()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Inside.

    def _cancel_calls(self) -> None:
        for call in self._calls.values():
            if call.task is not None:
                call.task.cancel()

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._wire.output:
            transport.write(self._wire.take())
        self._perform(self._wire.proceed())
        if self._wire.output:
            self._flush_soon()
        elif self._is_leaving and not self._calls:
            transport.close()

    def _perform(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case Opened(stream=number, head=head):
                    self._begin(number, head)
                case Broken(reason=reason):
                    self._give_up(reason)
                case _:
                    call = self._calls.get(event.stream)
                    if (
                        call is not None
                    ):  # what came in one piece with a call of no method has nobody to hear it
                        call.hear(event)

    def _begin(self, number: int, head: Head) -> None:
        handler = self._methods.get(head.path)
        if handler is None:
            self._wire.finish(number, Status(Code.UNIMPLEMENTED, f"there is no method {head.path}"))
            self._wire.release()
            return
        call = self._calls[number] = Call(self, number, head)
        call.task = self._tasks.create_task(_serve(call, handler), name=f"call of {head.path}")
        # Not in the task: one that is cancelled before its first step never comes to a `finally`.
        call.task.add_done_callback(lambda _: self._ended(call))

    def _ended(self, call: Call) -> None:
        self._wire.finish(call.number, call.ending)
        self._wire.release()
        del self._calls[call.number]
        self._flush_soon()

    def _give_up(self, reason: str) -> None:
        """The peer is told by the GOAWAY that lies ready; nothing it sends counts any more."""
        log.info("a connection of %s ended: %s", self._name(), reason)
        if self._transport is not None:
            self._transport.write(self._wire.take())
            self._transport.close()

    def _name(self) -> str:
        peername = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peername or "a local peer")
