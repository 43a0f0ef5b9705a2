"""Real Envoys that judge whatever a control plane makes of objects.

One Envoy of a sidecar and one of a gateway live for the whole run. They are served by delta ADS as in production: the
world folds the objects in, the streams' machines offer what differs, the local server carries the bytes; only the
relay between is left out. Secrets come from here, as they come from the agent there: an Envoy judges TLS settings when
it has the certificates.
"""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from immutables import Map

from proa.control_plane.conversion import Conversion
from proa.control_plane.proxies import Proxies, ProxyStream
from proa.control_plane.world import World
from proa.core.auth.peer_policy import mode_of, settled
from proa.core.config import Config
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL
from proa.core.config.kinds.mesh_config.schema import MeshConfig
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.model.names import ROOT_NAMESPACE, WorkloadId
from proa.core.model.secret_names import parse_secret_name
from proa.core.model.settings import Handling, MeshSettings, Resolving
from proa.core.model.snapshot import Change
from proa.core.pilot.registry.mesh_config import settings_of
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Send
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.wire import decode_request
from proa.core.sidecar.bootstrap import SidecarProcess, bootstrap_json, command_line
from proa.core.sidecar.secrets import (
    IDENTITY,
    ROOTS,
    build_certificate,
    build_identity,
    build_roots,
    build_trusted,
)
from proa.core.sidecar.session import GatewayPort, Registration, Upstream
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.run import find_envoy
from proa.runtime.outlet import Outlet
from proa.servers.xds_local.server import serve_xds
from proa.testing.builders import change_of, contribution, registered_port, registration, removal
from tests.certificates import Authority
from tests.properties.pilot.references import references

SIDECAR: Final = WorkloadId("default", "a-1")
EDGE: Final = WorkloadId("istio-system", "edge-1")
BASE: Final = MeshSettings(handling=Handling(resolving=Resolving(servers=("127.0.0.1:1",))))
"""Names are asked for where nobody listens: an Envoy answers nothing about clusters while it waits for a DNS server."""
SERVED: Final = ((80, "HTTP"), (9080, "AUTO"), (7000, "GRPC"), (6379, "TCP"), (443, "TLS"))
DOORS: Final = (80, 443, 8080, 9443, 6379)
ANSWER_S: Final = 90.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Empty: everything was taken."""

    refusals: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.refusals)


class Secrets:
    """Any secret that is asked for. A ResourceSource."""

    def __init__(self, folder: Path) -> None:
        self._root = Authority(folder)
        pairs = [self._root.issue("a.example", kind=kind) for kind in ("EC", "RSA")]
        self._pairs = [(pair.cert.read_text(), pair.key.read_text()) for pair in pairs]
        self._made: dict[str, Resource] = {}

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        if kind is not ResourceType.SECRET:
            return None
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Resource:
        roots = self._root.roots.read_text()
        if name == ROOTS:
            return build_roots({"cluster.local": roots})
        wanted = parse_secret_name(name)
        if wanted is not None and wanted.part == "roots":
            return build_trusted(name, roots, "")
        chain, key = self._pairs[len(name) % 2]
        return build_identity(key, chain) if name == IDENTITY else build_certificate(name, chain, key)

    def names(self, kind: ResourceType) -> Iterable[str]:
        return ()

    def knows(self, kind: ResourceType, name: str) -> bool:
        return True

    def knows_all(self, kind: ResourceType) -> bool:
        return True


class Seat:
    """One Envoy's place: its stream of the control plane, and one for secrets. A Downstream of its socket's server."""

    def __init__(self, workload: WorkloadId, proxies: Proxies, secrets: Secrets) -> None:
        self.workload = workload
        self.outlet: Outlet | None = None
        self.stream: ProxyStream | None = None
        self.changed = asyncio.Event()
        self._proxies = proxies
        self._source = secrets
        self._sds = DeltaServer(secrets)

    def connected(self, outlet: Outlet, pid: int) -> None:
        self.outlet, self.stream = outlet, self._proxies.open(self.workload, "node")
        self._sds = DeltaServer(self._source)

    def received(self, outlet: Outlet, request: bytes) -> None:
        assert self.stream is not None
        if decode_request(request).type_url == ResourceType.SECRET.url:
            for action in self._sds.receive(request):
                if isinstance(action, Send):
                    outlet.put(action.body)
        else:
            self._proxies.received(self.stream, request)
        self.flush()

    def lost(self, outlet: Outlet) -> None:
        if outlet is self.outlet and self.stream is not None:
            self._proxies.close(self.stream)
            self.outlet = self.stream = None
            self.changed.set()

    def flush(self) -> None:
        if self.stream is not None and self.outlet is not None:
            for body in self.stream.take():
                self.outlet.put(body)
        self.changed.set()

    def refusals(self) -> Iterator[str]:
        if self.stream is None:
            yield f"{self.workload}: its Envoy has gone"
            return
        for each in self.stream.refusals():
            yield f"{self.workload}: {each.type.name} {each.name} of {', '.join(map(str, each.objects))}: {each.error}"
        for (_, name), (_, error) in self._sds.rejected().items():
            yield f"{self.workload}: secret {name}: {error}"

    @property
    def is_settled(self) -> bool:
        """Whether it has answered everything, and asked for all that it was told of."""
        stream = self.stream
        if stream is None:
            return True
        if not stream.is_full or not self._sds.is_settled:
            return False
        return any(self.refusals()) or not self.unasked()

    def unasked(self) -> list[str]:
        """What its resources name and it has not asked for."""
        assert self.stream is not None
        source, server = self.stream.source, self.stream.server
        waiting = [(kind, name) for kind in _WHOLE for name in source.names(kind)]
        seen, missing = set(waiting), []
        while waiting:
            kind, name = waiting.pop()
            resource = source.lookup(kind, name)
            if kind not in _WHOLE and not server.wants(kind, name):
                missing.append(f"{kind.name} {name}")
            for each in references(resource) if resource is not None else ():
                if each not in seen:
                    seen.add(each)
                    waiting.append(each)
        return missing


_WHOLE: Final = (ResourceType.CLUSTER, ResourceType.LISTENER)


class Referee:
    """The world and the two seats. `judge` is one example: what is applied is taken back at its end."""

    def __init__(self, ports: Mapping[str, int], secrets: Secrets) -> None:
        self._world = World(BASE, clock=time.monotonic)
        self._proxies = Proxies(self._world, clock=time.monotonic)
        self._placed = placed(ports)
        self._place(())
        self.seats = [Seat(workload, self._proxies, secrets) for workload in (SIDECAR, EDGE)]
        self.resources_sent = self._proxies.resources_sent
        self.judged = 0

    def _place(self, policies: Sequence[Config], root_namespace: str = ROOT_NAMESPACE) -> None:
        """Everybody, with the TLS modes of these PeerAuthentications."""
        contributions = []
        for each in self._placed:
            modes = {
                port.service_port: settled(
                    mode_of(
                        policies,
                        namespace=each.id.namespace,
                        labels=each.labels,
                        ports=(port.app_port, port.service_port),
                        root_namespace=root_namespace,
                    )
                )
                for port in each.ports
            }
            contributions.append(contribution(each, port_tls=modes))
        self._world.fold_in([Change(contributions=tuple(contributions))])

    async def judge(self, configs: Sequence[Config]) -> Verdict:
        self.judged += 1
        in_force = Conversion().in_force({config.ref: config for config in configs})
        policies = [each for each in configs if isinstance(each.spec, PeerAuthentication)]
        settings = next(
            (settings_of(BASE, each.spec) for each in configs if isinstance(each.spec, MeshConfig)), BASE
        )
        try:
            self._world.fold_in([Change(settings=settings)])
            self._place(policies, settings.root_namespace)
            self._world.fold_in([change_of(in_force.values())])
            return await self.settle()
        finally:
            self._world.fold_in([removal(*sorted(in_force))])
            self._place(())
            self._world.fold_in([Change(settings=BASE)])
            left = await self.settle()
            assert not left.refusals, f"what was taken back is still refused: {left}"

    async def settle(self) -> Verdict:
        """What is refused once everybody has answered."""
        for seat in self.seats:
            seat.flush()
        told: list[str] = []
        try:
            async with asyncio.timeout(ANSWER_S):
                for seat in self.seats:
                    while not seat.is_settled:
                        seat.changed.clear()
                        await seat.changed.wait()
        except TimeoutError:
            for seat in self.seats:
                if seat.stream is not None and not seat.is_settled:
                    awaited = sorted(f"{kind.name} {name}" for kind, name in seat.stream.server.pending())
                    told.append(
                        f"{seat.workload} does not answer; pending {awaited}, not asked {seat.unasked()}"
                    )
            self._proxies.check_overdue()
        return Verdict(refusals=(*told, *(each for seat in self.seats for each in seat.refusals())))


def placed(ports: Mapping[str, int]) -> tuple[Registration, ...]:
    """A sidecar that serves a service on ports of all kinds, a gateway, and others that both may call."""
    served = [
        registered_port("a", number, protocol=protocol, sidecar_port=ports[f"in {number}"])
        for number, protocol in SERVED
    ]
    sidecar = registration(
        str(SIDECAR),
        *served,
        address="127.0.0.1",
        labels={"app": "a", "version": "v1"},
        upstreams=(Upstream(host="b", port=6379, local_port=ports["up"]),),
    )
    edge = registration(
        str(EDGE),
        kind="gateway",
        address="127.0.0.1",
        labels={"istio": "ingressgateway", GATEWAY_NAME_LABEL: "edge"},
        gateway_ports=tuple(
            GatewayPort(server_port=door, bound_port=ports[f"door {door}"]) for door in DOORS
        ),
    )
    others = [
        registration(
            f"{namespace}/{service}-{version}",
            *(registered_port(service, number, protocol=protocol) for number, protocol in SERVED),
            address=f"10.0.{len(namespace)}.{ord(service) + int(version)}",
            labels={"app": service, "version": f"v{version}"},
        )
        for namespace, service, version in (
            ("default", "a", "2"),
            ("default", "b", "1"),
            ("default", "b", "2"),
            ("shop", "a", "1"),
            ("shop", "b", "1"),
        )
    ]
    at_home = msgspec.structs.replace(sidecar, outbound_port=ports["out"], locality="eu/eu-1/a")
    return (at_home, edge, *others)


@contextlib.contextmanager
def free_ports() -> Iterator[dict[str, int]]:
    """Ports of loopback, held: an Envoy may listen there too (SO_REUSEPORT), and nobody else is given them."""
    names = ["out", "up", *(f"in {number}" for number, _ in SERVED), *(f"door {number}" for number in DOORS)]
    with contextlib.ExitStack() as stack:
        found: dict[str, int] = {}
        for name in names:
            held = stack.enter_context(socket.socket())
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(("0.0.0.0", 0))
            found[name] = held.getsockname()[1]
        yield found


@contextlib.contextmanager
def envoy(seat: Seat, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The seat's Envoy, with its log in `envoy.log` of the folder."""
    process = SidecarProcess(
        id=seat.workload,
        kind="gateway" if seat.workload == EDGE else "sidecar",
        account="a",
        labels=Map(),
        xds_socket=str(folder / "x"),
        admin_socket=str(folder / "a"),
        binary=str(find_envoy(NodeOptions(home=Home(folder)))),
        bootstrap_file=str(folder / "bootstrap.json"),
    )
    Path(process.bootstrap_file).write_text(bootstrap_json(process))
    with (folder / "envoy.log").open("wb") as log:
        child = subprocess.Popen(command_line(process), cwd=folder, stdout=subprocess.DEVNULL, stderr=log)
        try:
            yield child
        finally:
            child.kill()
            child.wait()


@asynccontextmanager
async def referee(folder: Path) -> AsyncIterator[Referee]:
    """Ready to judge; `folder` must have a short path, for there are sockets in it."""
    async with contextlib.AsyncExitStack() as stack:
        made = Referee(stack.enter_context(free_ports()), Secrets(folder))
        for seat in made.seats:
            place = folder / seat.workload.name
            place.mkdir()
            await stack.enter_async_context(serve_xds(place / "x", seat))
            stack.enter_context(envoy(seat, place))
        async with asyncio.timeout(ANSWER_S):
            for seat in made.seats:
                while seat.stream is None:
                    seat.changed.clear()
                    await seat.changed.wait()
        first = await made.settle()
        assert not first.refusals, first
        yield made
