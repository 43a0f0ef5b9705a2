"""A process of simulated proxies: many delta streams on few connections, one per node, as agents have them.

Run by `run` with a file that says what to be; then obeys one JSON command per line on stdin and answers one line
on stdout. Every proxy subscribes like an Envoy and ACKs all it gets. It notes when the endpoint that changes
came with which number (its weight) and when the ACK was written. Nothing is decoded twice.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import msgspec
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from google.protobuf.any_pb2 import Any as AnyMessage

from benchmarks.cpu import cpu_seconds
from benchmarks.propagation.h2_client import Call, Connection, connect
from benchmarks.propagation.mesh import FLIPPING, NodeSpec, SwarmSpec
from benchmarks.propagation.session import open_session
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.delta_client import DeltaClient, Received

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
    """One simulated Envoy."""

    def __init__(self, swarm: "Swarm", workload: str) -> None:
        self.number = 0
        self.endpoint_sets: set[str] = set()
        self.samples: list[Sample] = []
        self.workload = workload
        self._swarm = swarm
        self._client = DeltaClient()
        self._call: Call | None = None
        self._unwritten: list[tuple[int, int]] = []

    def open(self, connection: Connection) -> None:
        self._call = connection.call(PATH, {"proa-workload": self.workload}, self._receive)
        self._client.subscribe(ResourceType.CLUSTER, wildcard=True)
        self._client.subscribe(ResourceType.LISTENER, wildcard=True)
        self._send(self._client.start())

    def _send(self, requests: tuple[bytes, ...]) -> None:
        assert self._call is not None
        for request in requests:
            self._call.send(request)

    def _receive(self, body: bytes, first_at: int) -> None:
        received = self._client.receive(body)
        if received.type is ResourceType.ENDPOINT:
            self._note(received, first_at)
        self._send(self._follow(received))
        self._send(self._client.ack(received.nonce))

    def _note(self, received: Received, first_at: int) -> None:
        for resource in received.changed:
            if resource.name == FLIPPING:
                self.number = self._swarm.numbers.number_of(resource.body)
                self._unwritten.append((self.number, first_at))
                self._swarm.unwritten.append(self)
            elif resource.name not in self.endpoint_sets:
                self.endpoint_sets.add(resource.name)

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
            case ResourceType.LISTENER:
                routes = [name.removeprefix("0.0.0.0_") for name in names if name.startswith("0.0.0.0_")]
                more = self._client.subscribe(ResourceType.EXTENSION, ["proa.egress_guard"])
                return (*more, *self._client.subscribe(ResourceType.ROUTE, [*routes, "http_proxy"]))
        return ()


class Swarm:
    """Owner of this process's proxies."""

    def __init__(self) -> None:
        self.proxies: list[Proxy] = []
        self.numbers = Numbers()
        self.unwritten: list[Proxy] = []
        self._is_waiting = False
        self._connections: list[Connection] = []
        self._news = asyncio.Event()

    async def join(self, node: NodeSpec) -> None:
        connection = await connect(node.credential)
        connection.after_batch = self._written
        self._connections.append(connection)
        await open_session(connection, node.workloads)
        for registration in node.workloads:
            proxy = Proxy(self, str(registration.id))
            self.proxies.append(proxy)
            proxy.open(connection)
        connection.flush()

    def _written(self, now: int) -> None:
        if self.unwritten:
            for proxy in self.unwritten:
                proxy.written(now)
            self.unwritten.clear()
        if self._is_waiting:
            self._news.set()

    async def until_all_have(self, number: int, endpoint_sets: int) -> None:
        """Asked of one proxy at a time, so that waiting costs next to nothing while the answers come."""
        for proxy in self.proxies:
            while proxy.number < number or len(proxy.endpoint_sets) < endpoint_sets:
                if trouble := self.trouble():
                    raise RuntimeError(trouble[0])
                self._news.clear()
                self._is_waiting = True
                await self._news.wait()
        self._is_waiting = False

    def trouble(self) -> list[str]:
        return [reason for connection in self._connections for reason in connection.ended()]

    def dump_samples(self, file: Path) -> None:
        """Writes what every proxy noted since the last time."""
        file.write_bytes(msgspec.msgpack.encode([proxy.samples for proxy in self.proxies]))
        for proxy in self.proxies:
            proxy.samples = []


class Command(msgspec.Struct):
    """`until`: answer when all have this change and as many endpoint sets; `dump`: write the samples there."""

    until: int | None = None
    endpoint_sets: int = 0
    dump: str | None = None


class Report(msgspec.Struct):
    cpu: float
    trouble: list[str] = []


async def main(spec: SwarmSpec) -> None:
    swarm = Swarm()
    for node in spec.nodes:
        await swarm.join(node)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = msgspec.json.decode(line, type=Command)
        trouble = swarm.trouble()
        if command.until is not None:
            try:
                await swarm.until_all_have(command.until, command.endpoint_sets)
            except RuntimeError as error:
                trouble = [str(error)]
        if command.dump is not None:
            swarm.dump_samples(Path(command.dump))
        report = Report(cpu=cpu_seconds(os.getpid()), trouble=trouble)
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_bytes()
    asyncio.run(main(msgspec.json.decode(text, type=SwarmSpec, dec_hook=SwarmSpec.dec_hook)))
