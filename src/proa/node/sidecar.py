"""One workload's sidecar: its Envoy, the socket it is configured through, and the secrets it is given there.

The workload makes it when it has a certificate, and lives with what the Envoy does.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from proa.core.auth.roots import root_digests
from proa.core.model.names import WorkloadId
from proa.core.sidecar.bootstrap import SidecarProcess, build_node
from proa.core.sidecar.listener_counts import ListenerCounts
from proa.core.sidecar.relay import RelayTable
from proa.core.sidecar.session import GatewayPort
from proa.core.sidecar.table_file import Table
from proa.node.certificates import Keeper
from proa.node.denials import Denials
from proa.node.envoy import Envoy, Patience
from proa.node.envoy_admin import EnvoyAdmin
from proa.node.operator_secrets import OperatorSecrets
from proa.node.places import Place
from proa.node.relay import Relay
from proa.node.surroundings import Surroundings
from proa.node.table_store import TableStore
from proa.node.trust import EnvoySecrets, hand_secrets
from proa.node.workers import Workers
from proa.runtime.polling import poll
from proa.runtime.supervise import Supervisor
from proa.servers.xds_local import Guard, serve_xds

KNOWN_S: Final = 3.0
"""So long after its first word an Envoy may become known as ours."""
LOOK_S: Final = 0.05


class Sidecar:
    """`envoy` is not started before its owner asks it; `keeper` holds a certificate when `serve` is called. `known` is
    what is served until the control plane says otherwise, and stays on disk by `store`. `marked` hears of every change
    of the Envoy's marks, `written` returns when they are on disk."""

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
        guard = _EnvoyGuard(self._process.id, self.envoy, self._around.denials)
        tasks.keep(f"xds {name}", _serve(Path(self._process.xds_socket), self._relay, bound, guard))
        await bound.wait()
        tasks.keep(f"secrets {name}", self._hand_secrets())
        given = OperatorSecrets(self._process.id, self._around.home, self._relay)
        tasks.keep(f"operator's secrets {name}", given.run())
        tasks.keep(f"certificate {name}", self._keeper.keep())
        tasks.keep(f"table {name}", self._store.keep(self._current))
        tasks.keep(f"relay {name}", self._relay.run_up())
        tasks.keep(f"relay clock {name}", self._relay.run_clock())
        tasks.keep(f"listeners {name}", self._relay.run_held())

    def _workers(self) -> Workers:
        async def look() -> ListenerCounts:
            async with EnvoyAdmin(Path(self._process.admin_socket)) as admin:
                return await admin.listener_counts()

        return Workers(str(self._process.id), self._process.concurrency, look)

    async def _hand_secrets(self) -> None:
        name, taker = str(self._process.id), EnvoySecrets(self._relay)
        # A table on disk names the roots it is good with.
        await hand_secrets(name, self._keeper.credential, self._around.trust, taker, self._store.changed)

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
        environment=place.spec.environment,
        drain_s=max(1, round(drain_of(place, around))),
    )


def threads_of(place: Place, around: Surroundings) -> int:
    """As operators say, else as the node was started. 0 is what the host has."""
    said = place.spec.concurrency
    if said is None:
        return around.options.envoy_concurrency
    return said or os.cpu_count() or 1


def drain_of(place: Place, around: Surroundings) -> float:
    """Seconds."""
    return min(place.spec.drain_ms / 1000, around.options.drain_s)


class _EnvoyGuard:
    """A `servers.xds_local.Guard`: the socket is for this workload's Envoys."""

    def __init__(self, workload: WorkloadId, envoy: Envoy, denials: Denials) -> None:
        self._workload = workload
        self._envoy = envoy
        self._denials = denials

    async def expects(self, pid: int) -> bool:
        """One that was just started may speak before we know its pid."""
        clock = asyncio.get_running_loop().time
        give_up = clock() + KNOWN_S

        async def is_ours() -> bool:
            return self._envoy.owns(pid)

        return await is_ours() or await poll(is_ours, LOOK_S, lambda: clock() < give_up)

    def denied(self, pid: int, *, is_stranger: bool) -> None:
        self._denials.count("another user" if is_stranger else "another process", self._workload, pid)


async def _serve(socket: Path, relay: Relay, bound: asyncio.Event, guard: Guard) -> None:
    async with serve_xds(socket, relay, guard=guard):
        bound.set()
        await asyncio.Event().wait()
