"""One workload's sidecar: its Envoy, the socket it is configured through, and the secrets it is given there.

The workload makes it when it has a certificate, and lives with what the Envoy does.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from immutables import Map

from proa.core.auth.roots import root_digests
from proa.core.model.span_names import variables_of
from proa.core.sidecar.bootstrap import SidecarProcess, build_node
from proa.core.sidecar.listener_counts import ListenerCounts
from proa.core.sidecar.relay import RelayTable
from proa.core.sidecar.session import GatewayPort
from proa.core.sidecar.standard_metrics import canonical_names
from proa.core.sidecar.table_file import Table
from proa.node.certificates import Keeper
from proa.node.envoy import Envoy, Patience
from proa.node.envoy_admin import EnvoyAdmin
from proa.node.guards import ProcessGuard
from proa.node.operator_secrets import OperatorSecrets
from proa.node.places import Place
from proa.node.relay import Relay
from proa.node.surroundings import Surroundings
from proa.node.table_store import TableStore
from proa.node.trust import EnvoySecrets, hand_secrets
from proa.node.workers import Workers
from proa.node.workload_api import KIND, WorkloadApi
from proa.runtime.adopted import descends_from
from proa.runtime.supervise import Supervisor
from proa.servers.xds_local import Guard, serve_xds


class Sidecar:
    """`envoy` is not started before its owner asks it; `keeper` holds a certificate when `serve` is called. `known` is
    what is served until the control plane says otherwise, and stays on disk by `store`. `marked` hears of every change
    of the Envoy's marks, `written` returns when they are on disk, `program` is the pid of the workload's program."""

    def __init__(
        self,
        place: Place,
        around: Surroundings,
        keeper: Keeper,
        store: TableStore,
        *,
        known: Table | None,
        marked: Callable[[], None],
        written: Callable[[], Awaitable[None]],
        gateway_ports: Callable[[], tuple[GatewayPort, ...]],
        program: Callable[[], int | None],
    ) -> None:
        home, name = around.home, str(place.id)
        self._place = place
        self._around = around
        self._process = describe_process(place, around)
        self._table = RelayTable(
            node=build_node(self._process).SerializeToString(deterministic=True),
            stored=known.resources if known else (),
        )
        self._relay = Relay(
            place.id, self._table, around.uplink, around.session, store.changed, self._workers()
        )
        self._keeper = keeper
        self._store = store
        self._gateway_ports = gateway_ports
        self._program = program
        self.envoy = Envoy(
            self._process,
            log_file=home.workload_log(name, "envoy"),
            access_log=home.workload_log(name, "access"),
            ports=lambda: place.listening,
            patience=Patience(drain=drain_of(place, around)),
            marked=marked,
            written=written,
        )

    def supervise(self, tasks: Supervisor) -> None:
        """Starts the Envoy's own loop, which waits for the owner's word (or has adopted a running Envoy)."""
        tasks.run(f"sidecar {self._process.id}", self.envoy.run())

    async def serve(self, tasks: Supervisor) -> None:
        """Starts all that the Envoy needs. Returns when its socket is there."""
        name = str(self._process.id)
        bound = asyncio.Event()
        denials = self._around.denials
        guard = ProcessGuard(self._process.id, denials, self.envoy.owns)
        tasks.keep(f"xds {name}", _serve(Path(self._process.xds_socket), self._relay, bound, guard))
        await bound.wait()
        if self._place.spec.workload_api:
            await self._serve_api(tasks)
        tasks.keep(f"secrets {name}", self._hand_secrets())
        given = OperatorSecrets(self._process.id, self._around.home, self._relay)
        tasks.keep(f"operator's secrets {name}", given.run())
        tasks.keep(f"certificate {name}", self._keeper.keep())
        tasks.keep(f"table {name}", self._store.keep(self._current))
        tasks.keep(f"relay {name}", self._relay.run_up())
        tasks.keep(f"relay clock {name}", self._relay.run_clock())
        tasks.keep(f"listeners {name}", self._relay.run_held())

    async def _serve_api(self, tasks: Supervisor) -> None:
        """Returns when its socket is there."""
        name, bound = str(self._process.id), asyncio.Event()
        guard = ProcessGuard(self._process.id, self._around.denials, self._is_of_program)
        api = WorkloadApi(self._keeper.credential, self._around.trust, self._process.id.namespace, guard)
        socket = self._around.home.workload_socket(name, KIND)
        tasks.keep(f"workload API {name}", api.serve(socket, bound))
        await bound.wait()

    def _is_of_program(self, pid: int) -> bool:
        program = self._program()
        return program is not None and descends_from(pid, (program,))

    def _workers(self) -> Workers:
        async def look() -> ListenerCounts:
            async with EnvoyAdmin(Path(self._process.admin_socket)) as admin:
                return await admin.listener_counts()

        return Workers(str(self._process.id), self._process.concurrency, look)

    async def _hand_secrets(self) -> None:
        name, taker = str(self._process.id), EnvoySecrets(self._relay)
        # A table on disk names the roots it is good with.
        await hand_secrets(
            name,
            self._keeper.credential,
            self._around.trust,
            taker,
            self._store.changed,
            namespace=self._process.id.namespace,
        )

    def _current(self) -> Table | None:
        """What the disk should hold: nothing of a workload that the control plane does not want, or of
        which it has said nothing yet."""
        answer = self._around.session.answer.value
        if answer is not None and answer.refusal_of(self._place.id) is not None:
            return None
        resources = self._table.stored()
        if not resources:
            return None
        return Table(
            facts=self._place.facts,
            roots=root_digests(self._around.node_credential.value.roots_pem),
            gateway_ports=self._gateway_ports(),
            resources=resources,
        )


def describe_process(place: Place, around: Surroundings) -> SidecarProcess:
    home, name = around.home, str(place.id)
    return SidecarProcess(
        id=place.id,
        kind=place.spec.kind,
        account=place.spec.chosen_account,
        labels=place.spec.labels,
        locality=place.locality,
        xds_socket=str(home.workload_socket(name, "xds")),
        admin_socket=str(home.workload_socket(name, "admin")),
        binary=around.binary,
        bootstrap_file=str(home.workload_dir(name) / "bootstrap.json"),
        concurrency=threads_of(place, around),
        environment=Map(own_variables(place)).update(place.spec.environment),
        drain_s=max(1, round(drain_of(place, around))),
    )


def own_variables(place: Place) -> dict[str, str]:
    """What tells an Envoy's spans whose they are."""
    service, revision = canonical_names(place.id, place.spec.labels)
    return variables_of(place.id, service, revision)


def threads_of(place: Place, around: Surroundings) -> int:
    """As operators say, else as the node was started. 0 is what the host has."""
    said = place.spec.concurrency
    if said is None:
        return around.options.envoy_concurrency
    return said or os.cpu_count() or 1


def drain_of(place: Place, around: Surroundings) -> float:
    """Seconds."""
    return min(place.spec.drain_ms / 1000, around.options.drain_s)


async def _serve(socket: Path, relay: Relay, bound: asyncio.Event, guard: Guard) -> None:
    async with serve_xds(socket, relay, guard=guard):
        bound.set()
        await asyncio.Event().wait()
