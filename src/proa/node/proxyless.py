"""One workload without a sidecar: the socket at which gRPC in the program asks, the files of its certificate, and the
stream to the control plane that feeds both sides of the table (`core.sidecar.proxyless_relay`).

The workload makes it when it has a certificate. Files are 0600 in the workload's directory, each replaced in one step;
gRPC looks at them again by itself and keeps what it has while a key and a chain do not belong together.
"""

import asyncio
import itertools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.actions import Rejected
from proa.core.sidecar.bootstrap import build_node
from proa.core.sidecar.grpc_bootstrap import VARIABLE, ProxylessFiles, grpc_bootstrap
from proa.core.sidecar.local import Placed
from proa.core.sidecar.proxyless_relay import (
    DownTo,
    EndDown,
    EndUp,
    Judged,
    ProxylessActions,
    ProxylessTable,
    UpTo,
)
from proa.home import write_private
from proa.node.certificates import Keeper
from proa.node.credentials import Credential
from proa.node.guards import ProcessGuard
from proa.node.places import Place
from proa.node.session import Session
from proa.node.sidecar import describe_process
from proa.node.surroundings import Surroundings
from proa.node.trust import hand_secrets
from proa.node.uplink import Uplink
from proa.node.upstream import Upstream
from proa.runtime.outlet import Outlet
from proa.runtime.supervise import Supervisor
from proa.servers.xds_local import STATE_OF_THE_WORLD, serve_xds

OVERDUE_S: Final = 5.0
READ_S: Final = 4.0
"""Within so long gRPC has looked at its files, which it does every second (`grpc_bootstrap.REFRESH`)."""
log = logging.getLogger("proa.node.proxyless")


class Proxyless:
    """`keeper` holds a certificate already."""

    def __init__(self, place: Place, around: Surroundings, keeper: Keeper) -> None:
        self._place = place
        self._home = around.home
        self._keeper = keeper
        self._trust = around.trust
        self._denials = around.denials
        process = describe_process(place, around)
        node = build_node(process)
        node.id = f"proxyless~{place.id}"
        table = ProxylessTable(node=node.SerializeToString(deterministic=True))
        self._relay = ProxylessRelay(place.id, table, around.uplink, around.session)
        self._directory = around.home.workload_dir(str(place.id))
        self._files = ProxylessFiles(
            socket=process.xds_socket,
            key=str(self._directory / "key.pem"),
            chain=str(self._directory / "chain.pem"),
            roots=str(self._directory / "roots.pem"),
        )

    async def prepare(self, tasks: Supervisor) -> Placed:
        """Returns when the socket and all files are there: the program may start."""
        name = str(self._place.id)
        bound, written = asyncio.Event(), asyncio.Event()
        tasks.keep(f"xds {name}", self._serve(bound))
        tasks.keep(f"certificate files {name}", self._keep_files(written))
        tasks.keep(f"certificate {name}", self._keeper.keep())
        tasks.keep(f"relay {name}", self._relay.run_up())
        tasks.keep(f"relay clock {name}", self._relay.run_clock())
        await bound.wait()
        await written.wait()
        placed = self._place.placed(self._home, "")
        return msgspec.structs.replace(placed, env=placed.env.set(VARIABLE, str(self._bootstrap)))

    @property
    def _bootstrap(self) -> Path:
        return self._directory / "grpc-xds.json"

    async def _serve(self, bound: asyncio.Event) -> None:
        # Which processes a program is made of is its own affair; they are of one user.
        guard = ProcessGuard(self._place.id, self._denials, lambda pid: True)
        async with serve_xds(Path(self._files.socket), self._relay, STATE_OF_THE_WORLD, guard):
            bound.set()
            await asyncio.Event().wait()

    async def _keep_files(self, written: asyncio.Event) -> None:
        """With every renewal; what only a running program needs is gone with it."""
        try:
            write_private(self._bootstrap, grpc_bootstrap(self._place.id, self._files))
            files = _ProgramFiles(self._place.id, self._files, written)
            namespace = self._place.id.namespace
            await hand_secrets(
                str(self._place.id), self._keeper.credential, self._trust, files, namespace=namespace
            )
        finally:
            self._forget()

    def _forget(self) -> None:
        for path in (self._files.key, self._files.chain, self._files.roots, str(self._bootstrap)):
            Path(path).unlink(missing_ok=True)


class _ProgramFiles:
    """A `trust.Taker`: the program, which looks at its files from time to time. `written` is set when they are
    there."""

    def __init__(self, workload: WorkloadId, files: ProxylessFiles, written: asyncio.Event) -> None:
        self._workload = workload
        self._files = files
        self._written = written
        self._is_given = False

    async def give(
        self, credential: Credential | None, bundles: Mapping[str, str], partners: Mapping[str, str]
    ) -> None:
        """Without partners: of several roots in one file each could vouch for everybody."""
        if credential is None:
            return
        self._is_given = False
        try:
            await asyncio.to_thread(self._write, credential, bundles[credential.spiffe_id.trust_domain])
            self._is_given = True
        except OSError as error:  # the program goes on with what it has read
            log.error("%s: certificate not written for the program: %s", self._workload, error)
        self._written.set()

    async def taken(self) -> None:
        """Nobody says so: it has had the time to look several times. Of files that are not there, never."""
        await asyncio.sleep(READ_S)
        if not self._is_given:
            await asyncio.Event().wait()

    def _write(self, credential: Credential, roots_pem: str) -> None:
        write_private(Path(self._files.roots), roots_pem)
        write_private(Path(self._files.key), credential.key_pem)
        write_private(Path(self._files.chain), credential.chain_pem)


class ProxylessRelay:
    """A `servers.xds_local.Downstream`. As in `node.relay`: each table call is performed at once, so the order of the
    table is the order on the wires."""

    def __init__(self, workload: WorkloadId, table: ProxylessTable, uplink: Uplink, session: Session) -> None:
        self._workload = workload
        self._table = table
        self._above = Upstream(workload, uplink, session, self)
        self._streams: dict[int, Outlet] = {}
        self._numbers = itertools.count()

    # -- the program's side --

    def connected(self, outlet: Outlet, pid: int) -> None:
        number = next(self._numbers)
        self._streams[number] = outlet
        self._perform(self._table.down_connected(number))

    def received(self, outlet: Outlet, request: bytes) -> None:
        number = self._number(outlet)
        if number is not None:
            self._perform(self._table.down_received(number, request))

    def lost(self, outlet: Outlet) -> None:
        number = self._number(outlet)
        if number is not None:
            del self._streams[number]
            self._perform(self._table.down_lost(number))

    def _number(self, outlet: Outlet) -> int | None:
        return next((number for number, each in self._streams.items() if each is outlet), None)

    # -- the control plane's side --

    async def run_up(self) -> None:
        """Keeps a stream to the control plane whenever the workload is accepted there. Until cancelled."""
        await self._above.run()

    def up_connected(self) -> None:
        self._perform(self._table.up_connected())

    def up_received(self, body: bytes) -> None:
        self._perform(self._table.up_received(body))

    def up_lost(self) -> None:
        self._perform(self._table.up_lost())

    async def run_clock(self) -> None:
        """Tells the table when a client owes an answer for too long."""
        before: frozenset[tuple[int, ResourceType]] = frozenset()
        while True:
            await asyncio.sleep(OVERDUE_S)
            awaited = self._table.awaited()
            if before & awaited:
                self._perform(self._table.down_overdue())
            before = awaited

    def _perform(self, actions: ProxylessActions) -> None:
        for action in actions:
            match action:
                case UpTo(body=body):
                    self._above.put(body)
                case DownTo(stream=number, body=body):
                    if number in self._streams:
                        self._streams[number].put(body)
                case EndUp(reason=reason):
                    log.error("%s: the control plane broke the protocol: %s", self._workload, reason)
                    self._above.close()
                case EndDown(stream=number, reason=reason):
                    log.error("%s: the program broke the protocol: %s", self._workload, reason)
                    outlet = self._streams.pop(number, None)
                    if outlet is not None:
                        outlet.close()
                case Judged(verdict=Rejected(type=kind, name=name, error=error)):
                    log.error("%s: the program refuses %s %s: %s", self._workload, kind.name, name, error)
                case Judged():
                    pass
