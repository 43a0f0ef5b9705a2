"""What node agents ask of the control plane, answered: sessions, signatures, joining, streams.

Puts the registrations, the authority and the proxies behind the servers' Protocols.
"""

from proa.control_plane.authority import Authority, Refused
from proa.control_plane.leases import Leases
from proa.control_plane.proxies import Proxies, ProxyStream
from proa.control_plane.registrations import Registrations
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import (
    JoinReply,
    JoinRequest,
    NodeState,
    SessionState,
    SignReply,
    SignRequest,
)
from proa.servers.authority.node import NodeLine
from proa.servers.grpc_edge import NotNow, PeerRefused
from proa.servers.xds.delta import DeltaStream


class Nodes:
    """Implements `NodeSessions`, `Joining` and `DeltaStreams` of the servers."""

    def __init__(
        self,
        registrations: Registrations,
        leases: Leases,
        authority: Authority,
        proxies: Proxies,
        servers: tuple[str, ...],
    ) -> None:
        self._registrations = registrations
        self._leases = leases
        self._authority = authority
        self._proxies = proxies
        self._servers = servers

    # -- sessions --

    async def heard(self, line: NodeLine, state: NodeState) -> SessionState:
        answer = self._registrations.heard(line, state)
        self._leases.remember(line, state)
        return answer

    def answer(self, node: str) -> SessionState:
        return self._registrations.answer(node)

    async def answers_changed(self) -> None:
        await self._registrations.answers_changed()

    def left(self, line: NodeLine) -> None:
        self._registrations.left(line)

    async def sign(self, node: str, request: SignRequest) -> SignReply:
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

    # -- joining --

    @property
    def root_pem(self) -> str:
        return self._authority.root_pem

    async def join(self, request: JoinRequest) -> JoinReply:
        joined = await self._authority.redeem(token=request.token, csr_pem=request.csr_pem)
        if isinstance(joined, Refused):
            raise PeerRefused(joined.reason)
        return JoinReply(
            chain_pem=joined.issued.chain_pem,
            bundles=self._authority.bundles,
            node=joined.node,
            servers=self._servers,
        )

    # -- streams --

    def open(self, workload: WorkloadId, node: str) -> DeltaStream:
        registration = self._registrations.registration(workload)
        if registration is None:
            raise NotNow(f"workload {workload} is not registered (yet)")
        if registration.node != node:
            raise PeerRefused(f"workload {workload} is not on node {node}")
        return self._proxies.open(workload, node)

    def received(self, stream: DeltaStream, body: bytes) -> None:
        assert isinstance(stream, ProxyStream)
        self._proxies.received(stream, body)

    def close(self, stream: DeltaStream) -> None:
        assert isinstance(stream, ProxyStream)
        self._proxies.close(stream)
