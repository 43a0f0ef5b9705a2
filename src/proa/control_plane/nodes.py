"""What node agents ask of the control plane, answered: sessions, signatures, joining, streams.

Puts the registrations, the authority and the proxies behind the servers' Protocols, and the limits before them: who
is too loud is made to wait or refused here, before anything is decoded or looked up.
"""

import asyncio
from collections.abc import Callable

import msgspec
from immutables import Map

from proa.control_plane.admission import Gate, Place
from proa.control_plane.authority import Authority, Refused
from proa.control_plane.callers import Callers, Pace
from proa.control_plane.federation import Federations
from proa.control_plane.leases import Leases
from proa.control_plane.limits import Limits
from proa.control_plane.proxies import Proxies, ProxyStream
from proa.control_plane.refusals import Refusals
from proa.control_plane.registrations import Registrations
from proa.core.auth.spiffe import node_id
from proa.core.model.names import WorkloadId
from proa.core.sidecar.retry import with_retry
from proa.core.sidecar.session import (
    DescribeReply,
    DescribeRequest,
    JoinReply,
    JoinRequest,
    NodeState,
    PlanReply,
    PlanRequest,
    SessionState,
    SignReply,
    SignRequest,
)
from proa.runtime.races import first_of
from proa.servers.authority.node import NodeLine
from proa.servers.grpc_edge import NotNow, PeerRefused
from proa.servers.xds.delta import DeltaStream


class _Line:
    """What is known of an open stream besides the stream."""

    def __init__(self, place: Place, pace: Pace) -> None:
        self.place = place
        self.pace = pace


class Nodes:
    """Implements `NodeSessions`, `Joining` and `DeltaStreams` of the servers."""

    def __init__(
        self,
        registrations: Registrations,
        leases: Leases,
        authority: Authority,
        proxies: Proxies,
        servers: Callable[[], tuple[str, ...]],
        gate: Gate,
        callers: Callers,
        refusals: Refusals,
        limits: Limits,
        federations: Federations,
    ) -> None:
        self._registrations = registrations
        self._leases = leases
        self._authority = authority
        self._proxies = proxies
        self._servers = servers
        self._gate = gate
        self._callers = callers
        self._refusals = refusals
        self._limits = limits
        self._federations = federations
        self._lines: dict[DeltaStream, _Line] = {}
        self._sessions: dict[str, dict[NodeLine, Pace]] = {}

    # -- sessions --

    def arrived(self, line: NodeLine) -> None:
        sessions = self._sessions.setdefault(line.node, {})
        if len(sessions) >= self._limits.sessions_per_node:
            self._refusals.count("sessions of node", line.node)
            raise NotNow(with_retry(f"node {line.node} has {len(sessions)} sessions open", 1.0))
        sessions[line] = self._callers.session()

    async def pace(self, line: NodeLine, body: bytes) -> None:
        if len(body) > self._limits.state_bytes:
            self._refusals.count("size of state", line.node)
            raise PeerRefused(f"a state of {len(body)} bytes: no node needs as many")
        await self._wait(self._sessions[line.node][line].after(body), "pace of session", line.node)

    async def heard(self, line: NodeLine, state: NodeState) -> SessionState:
        answer = self._registrations.heard(line, state)
        self._leases.remember(line, state, self._registrations.since_of(line.node))
        return self._completed(line.node, answer)

    def answer(self, node: str) -> SessionState:
        return self._completed(node, self._registrations.answer(node))

    async def answers_changed(self) -> None:
        trust, revoked = self._authority.keyring.trust, self._authority.revocations.revoked
        believed = self._federations.believed
        await first_of(
            self._registrations.answers_changed(),
            believed.changed(believed.version),
            trust.changed(trust.version),
            revoked.changed(revoked.version),
        )

    def _bundles(self) -> Map[str, str]:
        """Whom proxies believe: under the mesh's other names its own roots, and nobody else's."""
        own = self._authority.bundles
        aliases = self._registrations.trust_domain_aliases
        return Map({**dict.fromkeys(aliases, self._authority.roots_pem), **own}) if aliases else own

    def _completed(self, node: str, answer: SessionState) -> SessionState:
        return msgspec.structs.replace(
            answer,
            bundles=self._bundles(),
            signing_root=self._authority.signing_root,
            servers=self._servers(),
            renew=self._authority.revocations.to_renew(node_id(self._authority.trust_domain, node)),
            federated=self._federations.for_namespaces(each.namespace for each in answer.accepted),
        )

    def left(self, line: NodeLine) -> None:
        sessions = self._sessions.get(line.node, {})
        sessions.pop(line, None)
        if not sessions:
            self._sessions.pop(line.node, None)
        self._registrations.left(line)
        self._leases.left(line)

    async def sign(self, node: str, request: SignRequest) -> SignReply:
        wait_s = self._callers.may_sign(node, self._registrations.count_of(node))
        if wait_s:
            self._refusals.count("signatures of node", node)
            raise NotNow(with_retry(f"node {node} asks for too many certificates", wait_s))
        if request.workload is None:
            issued = await self._authority.issue_node(csr_pem=request.csr_pem, node=node)
        else:
            claim = self._registrations.registration(request.workload)
            if claim is None or claim.node != node:
                raise PeerRefused(f"node {node} has not registered a workload {request.workload}")
            issued = await self._authority.issue_workload(csr_pem=request.csr_pem, claim=claim, node=node)
        if isinstance(issued, Refused):
            raise PeerRefused(issued.reason)
        return SignReply(
            chain_pem=issued.chain_pem, root_bundles=self._authority.bundles, not_after=issued.not_after
        )

    async def plan(self, node: str, request: PlanRequest) -> PlanReply:
        found = self._registrations.plan(node, request)
        if found is None:
            raise PeerRefused(f"node {node} may not place workloads in namespace {request.id.namespace}")
        return found

    async def describe(self, node: str, request: DescribeRequest) -> DescribeReply:
        names = len(request.workloads) + len(request.hosts)
        if names > self._limits.names_described:
            self._refusals.count("names to describe", node)
            raise PeerRefused(f"{names} names at once: ask for {self._limits.names_described} at most")
        return self._registrations.describe(request)

    # -- joining --

    @property
    def roots_pem(self) -> str:
        return self._authority.roots_pem

    @property
    def bundle_document(self) -> bytes:
        return self._authority.bundle_document

    async def prove_roots(self, token_id: str) -> str:
        return await self._authority.prove_roots(token_id)

    async def join(self, request: JoinRequest) -> JoinReply:
        joined = await self._authority.redeem(token=request.token, csr_pem=request.csr_pem)
        if isinstance(joined, Refused):
            raise PeerRefused(joined.reason)
        return JoinReply(
            chain_pem=joined.issued.chain_pem,
            bundles=self._authority.bundles,
            node=joined.node,
            servers=self._servers(),
        )

    # -- streams --

    async def open(self, workload: WorkloadId, node: str) -> DeltaStream:
        self._check(workload, node)
        wait_s = self._callers.may_open(node, self._registrations.count_of(node))
        if wait_s:
            self._refusals.count("streams of node", node)
            raise NotNow(with_retry(f"node {node} opens too many streams", wait_s))
        place = await self._gate.enter(node)
        try:
            self._check(workload, node)  # it may have waited long
            stream = self._proxies.open(workload, node)
        except BaseException:
            self._gate.leave(place)
            raise
        place.stream = stream
        self._lines[stream] = _Line(place, self._callers.stream(node))
        return stream

    def _check(self, workload: WorkloadId, node: str) -> None:
        registration = self._registrations.registration(workload)
        if registration is None:
            raise NotNow(f"workload {workload} is not registered (yet)")
        if registration.node != node:
            raise PeerRefused(f"workload {workload} is not on node {node}")

    async def received(self, stream: DeltaStream, body: bytes) -> None:
        assert isinstance(stream, ProxyStream)
        if len(body) > self._limits.request_bytes:
            self._end(stream, "size of request", f"a request of {len(body)} bytes")
            return
        self._proxies.received(stream, body)
        if stream.server.subscriptions > self._limits.names_per_stream:
            self._end(stream, "names of stream", f"subscriptions to {stream.server.subscriptions} names")
            return
        line = self._lines[stream]
        self._gate.heard(line.place)
        await self._wait(line.pace.after(body), "pace of stream", stream.node)

    def close(self, stream: DeltaStream) -> None:
        assert isinstance(stream, ProxyStream)
        self._gate.leave(self._lines.pop(stream).place)
        self._proxies.close(stream)

    def _end(self, stream: ProxyStream, reason: str, what: str) -> None:
        self._refusals.count(reason, stream.node)
        stream.end(f"{what}: no proxy needs as many")

    async def _wait(self, seconds: float, reason: str, node: str) -> None:
        """Leave what comes next where it is: in the peer's own connection."""
        if seconds > 0:
            self._refusals.count(reason, node)
            await asyncio.sleep(seconds)
