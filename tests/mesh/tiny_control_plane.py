"""A control plane of one page for tests of the node agent: takes every registration, signs, serves hand-made
resources. It shares the protocol machine and the CA with the real one and none of its decisions.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from immutables import Map

from proa.core.auth.ca import issue, make_intermediate, make_root, private_pem, to_pem
from proa.core.auth.csr import CheckedCsr, build_csr, check_csr
from proa.core.auth.spiffe import control_plane_id, node_id, workload_id
from proa.core.auth.template import (
    CertificateTemplate,
    control_plane_leaf,
    node_leaf,
    serial_from,
    workload_leaf,
)
from proa.core.model.names import WorkloadId, parse_workload_id
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Close, Rejected, Send, Subscribed
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.sidecar.session import (
    NodeState,
    Refusal,
    Registration,
    SessionState,
    SignReply,
    SignRequest,
    WantedPorts,
    decode,
    encode,
)
from proa.node.credentials import Credential, NewKey

TRUST_DOMAIN = "cluster.local"
Resources = dict[tuple[ResourceType, str], Resource]
Configure = Callable[[Registration, tuple[Registration, ...]], Iterable[Resource]]


class TinyCa:
    def __init__(self, leaf_ttl: int = 3600) -> None:
        self.leaf_ttl = leaf_ttl
        self.root = make_root(TRUST_DOMAIN, new_key(), new_serial(), time.time())
        self.signer = make_intermediate(TRUST_DOMAIN, self.root, new_key(), new_serial(), time.time())

    def sign(self, csr_pem: str, template: CertificateTemplate) -> str:
        checked = check_csr(csr_pem, template.uri)
        assert isinstance(checked, CheckedCsr), checked
        return to_pem(issue(template, checked.public_key, self.signer)) + self.signer.pem

    @property
    def validity(self) -> Any:
        return self.signer.validity(time.time(), self.leaf_ttl)

    def node_credential(self, node: str, servers: tuple[str, ...]) -> Credential:
        """What joining would have given."""
        key = NewKey(node_id(TRUST_DOMAIN, node))
        chain = self.sign(key.csr_pem, node_leaf(TRUST_DOMAIN, node, new_serial(), self.validity))
        return key.credential(chain, {TRUST_DOMAIN: self.root.pem}, node=node, servers=servers)

    def server_credentials(self) -> grpc.ServerCredentials:
        key = new_key()
        csr = build_csr(key, control_plane_id(TRUST_DOMAIN))
        chain = self.sign(csr, control_plane_leaf(TRUST_DOMAIN, new_serial(), self.validity))
        pair = [(private_pem(key).encode(), chain.encode())]
        return grpc.ssl_server_credentials(pair, self.root.pem.encode(), require_client_auth=True)


class TinyControlPlane:
    """`configure` makes a workload's resources out of its registration and all of them. `refuse` names workloads
    that are not taken; `wanted_ports` are asked of every gateway."""

    def __init__(self, ca: TinyCa, configure: Configure) -> None:
        self.ca = ca
        self.refuse: dict[WorkloadId, str] = {}
        self.wanted_ports: tuple[int, ...] = ()
        self.registrations: tuple[Registration, ...] = ()
        self.signed: list[str] = []
        self.acked: set[tuple[str, ResourceType, str]] = set()
        self.rejected: list[Rejected] = []
        self._configure = configure
        self._changed = asyncio.Condition()
        self._streams: list[_Stream] = []

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[int]:
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0), ("grpc.http2.max_ping_strikes", 0)))
        stream = grpc.stream_stream_rpc_method_handler
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "envoy.service.discovery.v3.AggregatedDiscoveryService",
                    {"DeltaAggregatedResources": stream(self._delta)},
                ),
                grpc.method_handlers_generic_handler(
                    "proa.node.v1.Node",
                    {
                        "Session": stream(self._session),
                        "Sign": grpc.unary_unary_rpc_method_handler(self._sign),
                    },
                ),
            )
        )
        bound = server.add_secure_port(f"127.0.0.1:{port}", self.ca.server_credentials())
        await server.start()
        try:
            yield bound
        finally:
            await server.stop(0)

    async def until(self, holds: Callable[[], bool], within_s: float = 60.0) -> None:
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(holds)

    def registration(self, name: str) -> Registration | None:
        wanted = parse_workload_id(name)
        return next((each for each in self.registrations if each.id == wanted), None)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _session(self, requests: AsyncIterator[bytes], context: Any) -> None:
        async for body in requests:
            state = decode(body, NodeState)
            self.registrations = state.workloads
            refused = tuple(
                Refusal(id=each.id, reason=self.refuse[each.id])
                for each in state.workloads
                if each.id in self.refuse
            )
            accepted = tuple(each.id for each in state.workloads if each.id not in self.refuse)
            wanted = tuple(
                WantedPorts(id=each.id, ports=self.wanted_ports)
                for each in state.workloads
                if each.kind == "gateway"
            )
            for stream in self._streams:
                await stream.refresh()
            answer = SessionState(
                version=state.version, accepted=accepted, refused=refused, gateway_ports=wanted
            )
            await context.write(encode(answer))
            await self._tell()

    async def _sign(self, body: bytes, context: Any) -> bytes:
        request = decode(body, SignRequest)
        if request.workload is None:
            template = node_leaf(TRUST_DOMAIN, "here", new_serial(), self.ca.validity)
        else:
            claim = next((each for each in self.registrations if each.id == request.workload), None)
            if claim is None:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not registered")
            assert claim is not None
            template = workload_leaf(TRUST_DOMAIN, claim.id, claim.account, new_serial(), self.ca.validity)
        chain = self.ca.sign(request.csr_pem, template)
        self.signed.append(str(request.workload or "node"))
        await self._tell()
        bundles = Map({TRUST_DOMAIN: self.ca.root.pem})
        return encode(SignReply(chain_pem=chain, root_bundles=bundles, not_after=template.not_after))

    async def _delta(self, requests: AsyncIterator[bytes], context: Any) -> None:
        metadata = dict(context.invocation_metadata() or ())
        stream = _Stream(self, metadata["proa-workload"], context)
        self._streams.append(stream)
        try:
            await stream.refresh()
            async for body in requests:
                await stream.receive(body)
                await self._tell()
        finally:
            self._streams.remove(stream)

    def resources_of(self, name: str) -> Resources:
        registration = self.registration(name)
        if registration is None:
            return {}
        made = self._configure(registration, self.registrations)
        return {(resource.type, resource.name): resource for resource in made}


class _Stream:
    """A ResourceSource with its machine and its wire."""

    def __init__(self, plane: TinyControlPlane, name: str, context: Any) -> None:
        self._plane = plane
        self._name = name
        self._context = context
        self._resources: Resources = {}
        self._machine = DeltaServer(self)

    async def refresh(self) -> None:
        old, self._resources = self._resources, self._plane.resources_of(self._name)
        changed = [key for key in {*old, *self._resources} if old.get(key) != self._resources.get(key)]
        await self._perform(self._machine.offer(changed))

    async def receive(self, body: bytes) -> None:
        await self._perform(self._machine.receive(body))

    async def _perform(self, actions: Iterable[object]) -> None:
        for action in actions:
            match action:
                case Send(body=body):
                    await self._context.write(body)
                case Acked(type=kind, name=name):
                    self._plane.acked.add((self._name, kind, name))
                case Rejected():
                    self._plane.rejected.append(action)
                case Close(reason=reason):
                    await self._context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
                case Subscribed():
                    pass

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        return self._resources.get((kind, name))

    def names(self, kind: ResourceType) -> Iterable[str]:
        return [name for each, name in self._resources if each is kind]

    def knows(self, kind: ResourceType, name: str) -> bool:
        return True

    def knows_all(self, kind: ResourceType) -> bool:
        return True


def account_id(account: str) -> str:
    return str(workload_id(TRUST_DOMAIN, "default", account))


def leaf_of(chain_pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(chain_pem.encode())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    return serial_from(secrets.token_bytes(20))
