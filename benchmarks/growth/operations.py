"""What is done to a mesh in B16, on our control plane and on the naive server, over the wire that its users have.

Each operation ends when everybody who should have it has it, and answers with the server's CPU in ms for one.
"""

import asyncio
from typing import Final, Protocol

import msgspec

from benchmarks.cpu import CpuMeter
from benchmarks.propagation.h2_client import connect
from benchmarks.propagation.mesh import PORT, Shape
from benchmarks.propagation.session import open_session
from benchmarks.propagation.swarm import Command
from benchmarks.propagation.systems import OurHost, System
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import RegisteredPort, Registration
from proa.servers.admin.operations import ApplyOutcome, ApplyRequest, SourceFile

OPERATIONS: Final = ("one endpoint change", "one new service, scoped", "full push")
NEWCOMER: Final = "newcomer"
FLIPS: Final = 5
SCOPED: Final = 5


class Operator(Protocol):
    """One of the two servers with its mesh."""

    system: System

    async def change_endpoint(self) -> float: ...
    async def add_scoped_service(self) -> float:
        """A service that no proxy of the swarm may see."""

    async def push_all(self) -> float:
        """A change that concerns everything every proxy has."""


async def flips(system: System, times: int) -> float:
    meter = CpuMeter(system.pid)
    for _ in range(times):
        system.flip()
        await system.flipper.answered()
        await system.swarm.until(system.number)
    return meter.lap() * 1000 / times


class Ours:
    """Configuration goes through the admin socket, as `proa apply` sends it."""

    def __init__(self, system: System, shape: Shape) -> None:
        assert isinstance(system.host, OurHost)
        self.system = system
        self._admin = system.host.admin
        self._shape = shape
        self._objects = 0

    async def change_endpoint(self) -> float:
        return await flips(self.system, FLIPS)

    async def add_scoped_service(self) -> float:
        meter = CpuMeter(self.system.pid)
        for _ in range(SCOPED):
            self._objects += 1
            await self._apply(f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: own-{self._objects}, namespace: elsewhere}}
spec:
  hosts: [own-{self._objects}.elsewhere.svc.cluster.local]
  exportTo: ["."]
  resolution: STATIC
  ports: [{{number: {PORT}, name: http, protocol: HTTP}}]
  endpoints: [{{address: 10.0.0.2}}]
""")
        return meter.lap() * 1000 / SCOPED

    async def push_all(self) -> float:
        """Every cluster gets another setting, and with it every proxy every cluster and its endpoints."""
        before = await self.system.swarm.ask(Command())
        meter = CpuMeter(self.system.pid)
        self._objects += 1
        await self._apply(f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: all, namespace: istio-system}}
spec:
  host: "*.svc.cluster.local"
  trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {1000 + self._objects}}}}}}}
""")
        await self.system.swarm.ask(
            Command(until=self.system.number, clusters=before.clusters + self._shape.visible)
        )
        return meter.lap() * 1000

    async def _apply(self, text: str) -> None:
        request = ApplyRequest(files=(SourceFile(name="growth.yaml", text=text),))
        outcome = await asyncio.to_thread(self._admin.apply, request)
        if not isinstance(outcome, ApplyOutcome):
            raise RuntimeError(f"refused: {outcome.problems[0]}")


class Naive:
    """It has no configuration and no scopes: a new service is one more registration, and any change pushes all."""

    def __init__(self, system: System, shape: Shape) -> None:
        self.system = system
        self._shape = shape
        self._added: tuple[Registration, ...] = ()
        self._last = 0.0

    async def change_endpoint(self) -> float:
        self._last = await flips(self.system, 1)
        return self._last

    async def push_all(self) -> float:
        """That is what its every change is: what the last one cost."""
        return self._last or await self.change_endpoint()

    async def add_scoped_service(self) -> float:
        sessions = self.system.sessions
        if NEWCOMER not in sessions:
            credential = (await self.system.host.credentials([NEWCOMER]))[NEWCOMER]
            sessions[NEWCOMER] = await open_session(await connect(credential), ())
        meter = CpuMeter(self.system.pid)
        self._added = (*self._added, _newcomer(len(self._added)))
        sessions[NEWCOMER].tell(self._added)
        await sessions[NEWCOMER].answered()
        await self.system.swarm.until(self.system.number, self._shape.visible + len(self._added))
        return meter.lap() * 1000


def _newcomer(number: int) -> Registration:
    port = RegisteredPort(
        service=f"own-{number}",
        service_port=PORT,
        name="http",
        protocol="HTTP",
        app_port=PORT,
        sidecar_port=20_000,
        health="HEALTHY",
    )
    return Registration(
        id=WorkloadId("elsewhere", f"own-{number}"),
        node=NEWCOMER,
        account="own",
        address="10.0.0.2",
        ports=(port,),
    )


class Costs(msgspec.Struct):
    """Of one cell and one side: per operation one value (ms of CPU) per round, and the server's bytes beyond those it
    had when nothing was connected."""

    operations: dict[str, list[float]] = msgspec.field(
        default_factory=lambda: {name: [] for name in OPERATIONS}
    )
    memory: list[float] = msgspec.field(default_factory=list)


async def one_round(operator: Operator, costs: Costs) -> None:
    does = (operator.change_endpoint, operator.add_scoped_service, operator.push_all)
    for name, operation in zip(OPERATIONS, does, strict=True):
        costs.operations[name].append(await operation())
