"""Our pair: what the control plane's own world makes of two registered workloads, served over real delta ADS and
SDS to Envoys with the bootstrap and command line that the node agent would use.

Only the processes around it are left out (`proa serve`, `proa node`): on a request's path stands none of them.
"""

import time
from collections.abc import Iterable

from benchmarks.data_plane.pair import Pair, envoy_binary, ready
from benchmarks.workshop import Workshop
from proa.control_plane.world import World
from proa.core.auth.peer_policy import settled
from proa.core.model.names import WorkloadId
from proa.core.model.settings import AccessLog, Handling, MeshSettings
from proa.core.model.snapshot import Change, Contribution
from proa.core.pilot.registry.registration import contribution_of_registration
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Send
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.source import ResourceSource
from proa.core.sidecar.bootstrap import SidecarProcess, bootstrap_json, command_line
from proa.core.sidecar.secrets import build_identity, build_roots
from proa.core.sidecar.session import RegisteredPort, Registration
from proa.runtime.outlet import Outlet
from proa.runtime.processes import Child
from proa.servers.xds_local.server import serve_xds

SERVICE_PORT = 8080
CLIENT, SERVER = WorkloadId("default", "client-v1"), WorkloadId("default", "server-v1")


async def our_pair(shop: Workshop, name: str, app_port: int, *, access_log: bool) -> Pair:
    outer, inner = shop.hold_port(), shop.hold_port()
    handling = Handling(access_log=AccessLog() if access_log else None)
    world = World(
        MeshSettings(trust_domain=shop.certificates.trust_domain, handling=handling), time.monotonic
    )
    client = Registration(
        id=CLIENT,
        node="bench",
        account="client",
        address="127.0.0.1",
        outbound_port=outer.port,
        capture="explicit",
    )
    port = RegisteredPort(
        service="server",
        service_port=SERVICE_PORT,
        name="http",
        protocol="HTTP",
        app_port=app_port,
        sidecar_port=inner.port,
        health="HEALTHY",
    )
    server = Registration(id=SERVER, node="bench", account="server", address="127.0.0.1", ports=(port,))
    world.fold_in([Change(contributions=tuple(_contribution(shop, each) for each in (client, server)))])
    clients = await _start(shop, world, name, "client", client)
    servers = await _start(shop, world, name, "server", server)
    return await ready(shop, Pair(name, outer.port, clients, servers))


def _contribution(shop: Workshop, registration: Registration) -> Contribution:
    return contribution_of_registration(
        registration,
        accounts={"server": ("server",)},
        port_tls={SERVICE_PORT: settled("STRICT")},
        trust_domain=shop.certificates.trust_domain,
    )


async def _start(shop: Workshop, world: World, name: str, side: str, registration: Registration) -> Child:
    label = f"{name}-{side}"
    socket = shop.directory / f"{label}.xds"
    key, chain = shop.certificates.workload(registration.id, registration.account)
    secrets = (
        build_identity(key, chain),
        build_roots({shop.certificates.trust_domain: shop.certificates.root_pem}),
    )
    source = _WithSecrets(world.source_for(registration.id), secrets)
    await shop.stack().enter_async_context(serve_xds(socket, _Sidecar(source)))
    process = SidecarProcess(
        id=registration.id,
        kind="sidecar",
        account=registration.account,
        xds_socket=str(socket),
        admin_socket=str(shop.directory / f"{label}.admin"),
        binary=envoy_binary(),
        bootstrap_file=str(shop.directory / f"{label}.json"),
    )
    (shop.directory / f"{label}.json").write_text(bootstrap_json(process))
    return shop.start(label, command_line(process), shop.cores.measured)


class _WithSecrets:
    """A proxy's resources and the secrets that its node agent adds. A `ResourceSource`."""

    def __init__(self, source: ResourceSource, secrets: Iterable[Resource]) -> None:
        self._source = source
        self._secrets = {secret.name: secret for secret in secrets}

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        return self._secrets.get(name) if kind is ResourceType.SECRET else self._source.lookup(kind, name)

    def names(self, kind: ResourceType) -> Iterable[str]:
        return self._source.names(kind)

    def knows(self, kind: ResourceType, name: str) -> bool:
        return True

    def knows_all(self, kind: ResourceType) -> bool:
        return True


class _Sidecar:
    """The `Downstream` of one Envoy."""

    def __init__(self, source: ResourceSource) -> None:
        self._source = source
        self._servers: dict[Outlet, DeltaServer] = {}

    def connected(self, outlet: Outlet, pid: int) -> None:
        self._servers[outlet] = DeltaServer(self._source)

    def received(self, outlet: Outlet, request: bytes) -> None:
        for action in self._servers[outlet].receive(request):
            if isinstance(action, Send):
                outlet.put(action.body)

    def lost(self, outlet: Outlet) -> None:
        self._servers.pop(outlet, None)
