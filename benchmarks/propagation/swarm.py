"""A process of simulated proxies: many delta streams on few connections, one per node, as agents have them.

Run by `systems` with a file that says what to be; then obeys one JSON command per line on stdin and answers one
line on stdout. Every proxy subscribes like an Envoy and ACKs all it gets. It notes when an endpoint that changes
came with which number (its weight) and when the ACK was written. Nothing is decoded twice.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from google.protobuf.any_pb2 import Any as AnyMessage

from benchmarks.cpu import cpu_seconds
from benchmarks.propagation.h2_client import Call, Connection, connect
from benchmarks.propagation.mesh import NodeSpec, SwarmSpec, change_of, weight_at
from benchmarks.propagation.session import open_session
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.delta_client import DeltaClient, Received

AGAIN_S: Final = 0.1
"""How soon a proxy or node that was refused tries again."""
FULL: Final = frozenset(
    (ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER, ResourceType.ROUTE)
)
"""What a proxy waits for before it serves."""
PATH: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
Sample = tuple[int, int, int]
"""(number of the change, ns at which its first byte came, ns at which its ACK was written)"""


class Numbers:
    """The number in a set of endpoints, decoded once for all proxies."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def number_of(self, body: bytes) -> int:
        found = self._known.get(body)
        if found is None:
            assignment = ClusterLoadAssignment()
            AnyMessage.FromString(body).Unpack(assignment)
            weights = [
                each.load_balancing_weight.value
                for group in assignment.endpoints
                for each in group.lb_endpoints
            ]
            found = self._known[body] = max(weights, default=0)
        return found


class Proxy:
    """One simulated Envoy. `weights`: of each flipping service, in their order, the newest seen."""

    def __init__(self, swarm: "Swarm", workload: str, *, is_sampled: bool) -> None:
        self.weights = [0] * len(swarm.flipping)
        self.endpoint_sets: set[str] = set()
        self.answered: set[ResourceType] = set()
        self.clusters = 0
        self.resources = 0
        self.samples: list[Sample] = []
        self.workload = workload
        self._is_sampled = is_sampled
        self._swarm = swarm
        self._client = DeltaClient()
        self._connection: Connection | None = None
        self._call: Call | None = None
        self._unwritten: list[tuple[int, int]] = []

    def open(self, connection: Connection, *, forget: bool = True) -> None:
        """With `forget` as a proxy that holds nothing, else with the versions of what it holds."""
        self._connection = connection
        self._call = connection.call(PATH, {"proa-workload": self.workload}, self._receive)
        if forget:
            self._client = DeltaClient()
            self.weights = [0] * len(self.weights)
            self.endpoint_sets.clear()
            self.answered.clear()
            self._client.subscribe(ResourceType.CLUSTER, wildcard=True)
            self._client.subscribe(ResourceType.LISTENER, wildcard=True)
        self._send(self._client.start())

    def try_again(self, *, forget: bool) -> bool:
        """Another stream if this one was turned away; whether it was. Raises RuntimeError when the line is gone."""
        if self._connection is None or self._call is None or self._call.ended is None:
            return False
        if self._connection.is_lost:
            raise RuntimeError(f"a connection ended in the storm: {self._call.ended}")
        self._connection.forget(self._call)
        self.open(self._connection, forget=forget)
        self._connection.flush()
        return True

    def _send(self, requests: tuple[bytes, ...]) -> None:
        assert self._call is not None
        for request in requests:
            self._call.send(request)

    def _receive(self, body: bytes, first_at: int) -> None:
        received = self._client.receive(body)
        self.answered.add(received.type)
        self.resources += len(received.changed)
        if received.type is ResourceType.ENDPOINT:
            self._note(received, first_at)
        elif received.type is ResourceType.CLUSTER:
            self.clusters += len(received.changed)
        self._send(self._follow(received))
        self._send(self._client.ack(received.nonce))

    def _note(self, received: Received, first_at: int) -> None:
        places = self._swarm.places
        for resource in received.changed:
            if resource.name not in self.endpoint_sets:
                self.endpoint_sets.add(resource.name)
            place = places.get(resource.name)
            if place is not None:
                weight = self._swarm.numbers.number_of(resource.body)
                if weight > self.weights[place]:
                    self.weights[place] = weight
                    if self._is_sampled:
                        self._unwritten.append((change_of(place, weight, len(self.weights)), first_at))
                        self._swarm.unwritten.append(self)

    def written(self, now: int) -> None:
        self.samples += [(number, first_at, now) for number, first_at in self._unwritten]
        self._unwritten.clear()

    def _follow(self, received: Received) -> tuple[bytes, ...]:
        """Ask for what new clusters and listeners need."""
        names = [resource.name for resource in received.changed]
        match received.type:
            case ResourceType.CLUSTER:
                wanted = [name for name in names if name.startswith("outbound|")]
                return self._client.subscribe(ResourceType.ENDPOINT, wanted) if wanted else ()
            case ResourceType.LISTENER if names:
                routes = [name.removeprefix("0.0.0.0_") for name in names if name.startswith("0.0.0.0_")]
                more = self._client.subscribe(ResourceType.EXTENSION, ["proa.egress_guard"])
                return (*more, *self._client.subscribe(ResourceType.ROUTE, [*routes, "http_proxy"]))
        return ()

    def has(self, goal: "Command") -> bool:
        if goal.clusters and self.clusters < goal.clusters:
            return False
        if len(self.endpoint_sets) < goal.endpoint_sets or (goal.full and not self.answered >= FULL):
            return False
        number, services = goal.until or 0, len(self.weights)
        if services == 1:
            return self.weights[0] >= number
        return all(weight >= weight_at(number, place, services) for place, weight in enumerate(self.weights))


class Swarm:
    """Owner of this process's proxies. `refused` counts connections and streams that were turned away."""

    def __init__(self, spec: SwarmSpec) -> None:
        self.flipping = spec.flipping
        self.places = {name: place for place, name in enumerate(spec.flipping)}
        self.proxies: list[Proxy] = []
        self.numbers = Numbers()
        self.unwritten: list[Proxy] = []
        self.refused = 0
        self._nodes: list[tuple[NodeSpec, list[Proxy]]] = []
        self._sampled = spec.sampled
        self._is_waiting = False
        self._connections: list[Connection] = []
        self._news = asyncio.Event()

    async def join(self, nodes: Iterable[NodeSpec]) -> None:
        """One node after the other, as hosts are added."""
        for node in nodes:
            first = len(self.proxies)
            self.proxies += [
                Proxy(self, str(registration.id), is_sampled=number % self._sampled == 0)
                for number, registration in enumerate(node.workloads, first)
            ]
            own = self.proxies[first:]
            self._nodes.append((node, own))
            await self._open(node, own, forget=True)

    async def _open(self, node: NodeSpec, proxies: list[Proxy], *, forget: bool) -> None:
        connection = await connect(node.credential)
        connection.after_batch = self._written
        self._connections.append(connection)
        await open_session(connection, node.workloads)
        for proxy in proxies:
            proxy.open(connection, forget=forget)
        connection.flush()

    def drop(self) -> None:
        """Every line is cut."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    async def storm(self, goal: "Command") -> float:
        """All nodes come back at once. Returns the milliseconds until the last proxy has what the goal says."""
        began = time.monotonic()
        for proxy in self.proxies:
            proxy.resources = 0
        async with asyncio.TaskGroup() as tasks:
            for node, proxies in self._nodes:
                tasks.create_task(self._come_back(node, proxies, forget=goal.forget))
        await self.until_all(goal)
        return (time.monotonic() - began) * 1000

    async def _come_back(self, node: NodeSpec, proxies: list[Proxy], *, forget: bool) -> None:
        while True:
            try:
                await self._open(node, proxies, forget=forget)
                return
            except OSError:  # refused before there was a stream
                self.refused += 1
                await asyncio.sleep(AGAIN_S)

    def _written(self, now: int) -> None:
        if self.unwritten:
            for proxy in self.unwritten:
                proxy.written(now)
            self.unwritten.clear()
        if self._is_waiting:
            self._news.set()

    async def until_all(self, goal: "Command") -> None:
        """Asked of one proxy at a time, so that waiting costs next to nothing while the answers come."""
        for proxy in self.proxies:
            while not proxy.has(goal):
                if trouble := self.trouble():
                    if not goal.storm:
                        raise RuntimeError(trouble[0])
                    await asyncio.sleep(AGAIN_S)
                    self.refused += sum(each.try_again(forget=goal.forget) for each in self.proxies)
                    continue
                self._news.clear()
                self._is_waiting = True
                await self._news.wait()
        self._is_waiting = False

    def trouble(self) -> list[str]:
        return [reason for connection in self._connections for reason in connection.ended()]

    def dump_samples(self, file: Path) -> None:
        """Writes what every sampled proxy noted since the last time."""
        sampled = self.proxies[:: self._sampled]
        file.write_bytes(msgspec.msgpack.encode([proxy.samples for proxy in sampled]))
        for proxy in sampled:
            proxy.samples = []


class Command(msgspec.Struct, omit_defaults=True):
    """In this order: `drop` all lines; `join` the nodes of that file; then wait until each proxy has change `until`,
    as many endpoint sets, as many cluster updates since it began, and with `full` an answer of each type; with
    `storm` all come back first, with `forget` as new ones. `dump`: write the samples there."""

    drop: bool = False
    join: str | None = None
    storm: bool = False
    forget: bool = False
    until: int | None = None
    endpoint_sets: int = 0
    clusters: int = 0
    full: bool = False
    dump: str | None = None


class Report(msgspec.Struct):
    """`took_ms` of a storm; `clusters`: cluster updates, of the proxy that has had fewest; `resources`: received by
    all since the last storm began."""

    cpu: float
    trouble: list[str] = []
    took_ms: float = 0.0
    refused: int = 0
    resources: int = 0
    clusters: int = 0


async def obey(swarm: Swarm, command: Command) -> Report:
    took, trouble = 0.0, swarm.trouble()
    try:
        if command.drop:
            swarm.drop()
            trouble = []
        if command.join is not None:
            await swarm.join(read_spec(Path(command.join)).nodes)
        if command.storm:
            took = await swarm.storm(command)
        elif command.until is not None:
            await swarm.until_all(command)
    except RuntimeError as error:
        trouble = [str(error)]
    if command.dump is not None:
        swarm.dump_samples(Path(command.dump))
    return Report(
        cpu=cpu_seconds(os.getpid()),
        trouble=trouble,
        took_ms=took,
        refused=swarm.refused,
        resources=sum(proxy.resources for proxy in swarm.proxies),
        clusters=min((proxy.clusters for proxy in swarm.proxies), default=0),
    )


def read_spec(file: Path) -> SwarmSpec:
    return msgspec.json.decode(file.read_bytes(), type=SwarmSpec, dec_hook=SwarmSpec.dec_hook)


async def main(spec: SwarmSpec) -> None:
    swarm = Swarm(spec)
    await swarm.join(spec.nodes)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        report = await obey(swarm, msgspec.json.decode(line, type=Command))
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(read_spec(Path(sys.argv[1]))))
