"""The node service: a session per node in which it says what it runs, and the signing of its workloads' keys."""

import asyncio
from typing import Final, Protocol

import msgspec

from proa.core.auth.spiffe import SpiffeId
from proa.core.sidecar.session import (
    DescribeReply,
    DescribeRequest,
    MessageError,
    NodeState,
    PlanReply,
    PlanRequest,
    SessionState,
    SignReply,
    SignRequest,
    decode,
    encode,
)
from proa.servers.grpc_edge import (
    ByteStream,
    PeerRefused,
    Service,
    node_name,
    service,
    unary_method,
)

SERVICE: Final = "proa.node.v1.Node"


class NodeLine(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One session of a node. Two of one node are two lines: a node that lost one comes back on another before the
    first is known to be dead. `is_local`: it comes from this host, over loopback."""

    node: str
    is_local: bool


class NodeSessions(Protocol):
    """The owner of registrations and of the authority."""

    def arrived(self, line: NodeLine) -> None:
        """A session begins; `left` will be called. Raises NotNow when the node has too many, and then it is not."""

    async def pace(self, line: NodeLine, body: bytes) -> None:
        """A state has come and is not read yet. Takes as long as it should wait. Raises PeerRefused."""

    async def heard(self, line: NodeLine, state: NodeState) -> SessionState: ...

    def answer(self, node: str) -> SessionState:
        """The answer to the node's last state as it would be now."""

    async def answers_changed(self) -> None:
        """Returns when an answer may differ from what it was at the call."""

    def left(self, line: NodeLine) -> None: ...

    async def sign(self, node: str, request: SignRequest) -> SignReply:
        """Raises PeerRefused with the reason, NotNow when it is too often."""

    async def plan(self, node: str, request: PlanRequest) -> PlanReply:
        """Raises PeerRefused with the reason."""

    async def describe(self, node: str, request: DescribeRequest) -> DescribeReply:
        """Raises PeerRefused with the reason."""


def node_service(sessions: NodeSessions, trust_domain: str) -> Service:
    async def session(wire: ByteStream) -> None:
        line = NodeLine(node=node_name(wire.peer, trust_domain), is_local=wire.is_local)
        await _Session(wire, sessions, line).run()

    async def sign(peer: SpiffeId, body: bytes) -> bytes:
        node = node_name(peer, trust_domain)
        try:
            request = decode(body, SignRequest)
        except MessageError as error:
            raise PeerRefused(str(error)) from error
        return encode(await sessions.sign(node, request))

    async def plan(peer: SpiffeId, body: bytes) -> bytes:
        node = node_name(peer, trust_domain)
        try:
            request = decode(body, PlanRequest)
        except MessageError as error:
            raise PeerRefused(str(error)) from error
        return encode(await sessions.plan(node, request))

    async def describe(peer: SpiffeId, body: bytes) -> bytes:
        node = node_name(peer, trust_domain)
        try:
            request = decode(body, DescribeRequest)
        except MessageError as error:
            raise PeerRefused(str(error)) from error
        return encode(await sessions.describe(node, request))

    methods = {
        "Session": session,
        "Sign": unary_method(sign),
        "Plan": unary_method(plan),
        "Describe": unary_method(describe),
    }
    return service(SERVICE, methods)


class _Session:
    """One node's session. The reader takes its states, the writer sends each answer that is news."""

    def __init__(self, wire: ByteStream, sessions: NodeSessions, line: NodeLine) -> None:
        self._wire = wire
        self._sessions = sessions
        self._line = line
        self._node = line.node
        self._answer: SessionState | None = None
        self._spoke = asyncio.Event()

    async def run(self) -> None:
        self._sessions.arrived(self._line)
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(), name=f"session reader {self._node}")
                writer = tasks.create_task(self._write(), name=f"session writer {self._node}")
                watcher = tasks.create_task(self._watch(), name=f"session watcher {self._node}")
                await reader
                writer.cancel()
                watcher.cancel()
        finally:
            self._sessions.left(self._line)

    async def _read(self) -> None:
        while (body := await self._wire.read()) is not None:
            await self._sessions.pace(self._line, body)
            try:
                state = decode(body, NodeState)
            except MessageError as error:
                raise PeerRefused(str(error)) from error
            self._answer = await self._sessions.heard(self._line, state)
            self._spoke.set()

    async def _watch(self) -> None:
        while True:
            await self._sessions.answers_changed()
            if self._answer is not None:
                answer = self._sessions.answer(self._node)
                if answer != self._answer:
                    self._answer = answer
                    self._spoke.set()

    async def _write(self) -> None:
        while True:
            await self._spoke.wait()
            self._spoke.clear()
            if self._answer is not None:
                await self._wire.write(encode(self._answer))
