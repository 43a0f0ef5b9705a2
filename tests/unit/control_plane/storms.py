"""A control plane without sockets, and agents' streams that reach it through the real stream server.

What the wire would do to bytes is left out; who may write when, what waits where and who is refused is all there.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import cast

from proa.control_plane.admission import Gate
from proa.control_plane.authority import Authority
from proa.control_plane.callers import Callers
from proa.control_plane.federation import Federations
from proa.control_plane.leases import Leases
from proa.control_plane.limits import Limits
from proa.control_plane.nodes import Nodes
from proa.control_plane.proxies import Proxies
from proa.control_plane.refusals import Refusals
from proa.control_plane.registrations import Registrations
from proa.control_plane.world import World
from proa.core.auth.grants import BROAD, Grant
from proa.core.auth.spiffe import SpiffeId, node_id
from proa.core.auth.trust_bundle import TrustBundle
from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.admission import Bounds
from proa.core.pilot.xds.delta_client import DeltaClient
from proa.core.sidecar.session import NodeState, Registration
from proa.ports.lease_store import LeaseStore
from proa.ports.trust_bundles import BundleFetcher, BundleSource
from proa.servers.authority.node import NodeLine
from proa.servers.xds.delta import WORKLOAD_KEY, serve_stream
from proa.testing.builders import registration

TRUST_DOMAIN = "cluster.local"
CLUSTER, ENDPOINT, LISTENER = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER
PATIENCE_S = 100


class KeptNothing:
    """No partner was ever there."""

    def load(self) -> Mapping[BundleSource, TrustBundle]:
        return {}

    def keep(self, source: BundleSource, bundle: TrustBundle) -> None:
        raise AssertionError(source)

    def forget(self, source: BundleSource) -> None:
        raise AssertionError(source)


class ControlPlane:
    """One life of it. `nodes` are registered before anybody connects."""

    def __init__(
        self,
        nodes: Mapping[str, Iterable[Registration]],
        *,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        pace: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pace` is the clock of the callers' limits, `clock` that of the streams."""
        limits = limits or Limits()
        self.world = World(MeshSettings(), time.monotonic)
        self.proxies = Proxies(self.world, clock)
        self.registrations = Registrations(
            self.world, self.proxies, time.monotonic, limits.workloads_per_node
        )
        self.refusals = Refusals(time.monotonic)
        self.gate = Gate(self.proxies.push_age, time.monotonic, self.refusals, bounds)
        self.nodes = Nodes(
            self.registrations,
            Leases(cast(LeaseStore, None), time.time),  # nobody speaks in a session here,
            cast(Authority, None),  # or gets as far as a signature
            self.proxies,
            lambda: (),
            self.gate,
            Callers(limits, pace),
            self.refusals,
            limits,
            Federations(self.world, cast(BundleFetcher, None), KeptNothing()),
        )
        self.registrations.set_grants([Grant(node=node, placements=BROAD) for node in nodes])
        self._versions = itertools.count(1)
        for node, workloads in nodes.items():
            self.hear(node, workloads)

    def hear(self, node: str, workloads: Iterable[Registration]) -> None:
        state = NodeState(version=next(self._versions), workloads=tuple(workloads))
        self.registrations.heard(NodeLine(node=node, is_local=False), state)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Callable[[Coroutine[None, None, None]], asyncio.Task[None]]]:
        """Gives the function that starts a task of the test; all that still run end with the block."""
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            started: list[asyncio.Task[None]] = []

            def start(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
                started.append(tasks.create_task(work))
                return started[-1]

            start(self.world.run())
            start(self.gate.run())
            await self.world.commit(Change())
            yield start
            for each in started:
                each.cancel()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Looks whenever anything about the streams has changed."""
        while True:
            seen = self.proxies.revision
            if holds():
                return
            await self.proxies.changed(seen)

    async def serve(self, agent: "Agent") -> None:
        """The server's side of one stream, until it ends. Raises PeerRefused, NotNow."""
        await serve_stream(agent.wire, self.nodes, TRUST_DOMAIN)

    def is_full(self, agents: Iterable["Agent"]) -> bool:
        streams = [self.proxies.stream_of(agent.workload) for agent in agents]
        return all(stream is not None and stream.is_full for stream in streams)


class Wire:
    """A `ByteStream`. Each direction holds `room` messages; who finds it full waits, as with flow control."""

    def __init__(self, node: str, workload: WorkloadId, room: int) -> None:
        self.peer: SpiffeId = node_id(TRUST_DOMAIN, node)
        self.is_local = False
        self.certificate = None
        self.address = ""
        self.peer_pid = 0
        self.peer_user = -1
        self.metadata: Mapping[str, str] = {WORKLOAD_KEY: str(workload)}
        self.up: asyncio.Queue[bytes | None] = asyncio.Queue(room)
        self.down: asyncio.Queue[bytes] = asyncio.Queue(room)

    async def read(self) -> bytes | None:
        return await self.up.get()

    async def write(self, body: bytes) -> None:
        await self.down.put(body)


class Agent:
    """A workload's stream as the agent keeps it: asks for clusters, their endpoints and listeners, ACKs everything, and
    says what it holds when it comes back."""

    def __init__(self, node: str, workload: WorkloadId) -> None:
        self.node = node
        self.workload = workload
        self.client = DeltaClient()
        self.client.subscribe(CLUSTER, wildcard=True)
        self.client.subscribe(LISTENER, wildcard=True)
        self.received = 0
        self.reconnect()

    def reconnect(self, room: int = 100) -> None:
        self.wire = Wire(self.node, self.workload, room)

    async def talk(self) -> None:
        await self.say(self.client.start())
        while True:
            received = self.client.receive(await self.wire.down.get())
            self.received += len(received.changed)
            if received.type is CLUSTER:
                names = [each.name for each in received.changed if each.name.startswith("outbound|")]
                await self.say(self.client.subscribe(ENDPOINT, names))
            await self.say(self.client.ack(received.nonce))

    async def say(self, requests: Iterable[bytes]) -> None:
        for request in requests:
            await self.wire.up.put(request)


def clients(nodes: int, of_each: int) -> dict[str, tuple[Registration, ...]]:
    """Nodes of workloads that serve nothing and call others."""
    return {
        f"node-{node}": tuple(
            registration(f"client-{node}-{each}", node=f"node-{node}") for each in range(of_each)
        )
        for node in range(nodes)
    }


def agents_of(nodes: Mapping[str, Iterable[Registration]]) -> list[Agent]:
    return [Agent(node, each.id) for node, workloads in nodes.items() for each in workloads]
