"""Which ports a workload really has besides those it was started with: Gateway objects ask for server ports, Sidecars
for listeners of a sidecar's own; this host has its own mind.

A gateway's port that is taken, or below 1024 without leave to use it, is mapped to a free one. A program dials its
sidecar's listener where the Sidecar says, so there that place is had or none: then control plane and owner are told
why. The owner is told where each is served once the Envoy listens there.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from proa.core.sidecar.local import (
    GatewayPortClosed,
    GatewayPortServed,
    OwnerEvent,
    Progress,
    Warned,
    WorkloadSpec,
)
from proa.core.sidecar.session import GatewayPort, OwnListener
from proa.core.sidecar.supervision import SERVING
from proa.node.envoy import Envoy
from proa.node.envoy_admin import EnvoyAdmin
from proa.node.port_book import PortBook
from proa.node.session import Session
from proa.runtime.held_ports import HeldPort, PortTaken
from proa.runtime.polling import poll
from proa.runtime.supervise import Supervisor

POLL_S: Final = 0.1
log = logging.getLogger("proa.node.gateway_ports")


class GatewayPorts:
    """`stack` gives back what is held when the workload ends. `earlier` are the ports of an earlier run, held at once
    and served until the control plane says what is wanted now; `beside`: its Envoy listens there. State is owned by
    `run` from then on."""

    def __init__(
        self,
        spec: WorkloadSpec,
        address: str,
        book: PortBook,
        stack: ExitStack,
        earlier: tuple[GatewayPort, ...] = (),
        *,
        beside: bool = False,
    ) -> None:
        self._spec = spec
        self._address = address
        self._book = book
        self._held: dict[OwnListener, HeldPort] = {}
        self._faults: dict[OwnListener, str] = {}
        stack.callback(self._release_all)
        for each in earlier:
            self._hold_again(each, book.hold_beside if beside else book.hold_exactly)

    @property
    def ports(self) -> tuple[GatewayPort, ...]:
        held = (
            GatewayPort(server_port=door.port, bound_port=held.port, address=door.address)
            for door, held in sorted(self._held.items())
        )
        faults = (
            GatewayPort(server_port=door.port, bound_port=door.port, address=door.address, fault=fault)
            for door, fault in sorted(self._faults.items())
            if door.address
        )
        return (*held, *faults)

    @property
    def remark(self) -> str:
        """What could not be had, for people; empty when there is nothing."""
        return "; ".join(f"{_words(door)}: {fault}" for door, fault in sorted(self._faults.items()))

    async def run(
        self,
        session: Session,
        envoy: Envoy,
        *,
        publish: Callable[[], None],
        tell: Callable[[OwnerEvent], None],
    ) -> None:
        """Until cancelled. While the control plane is away the ports stay as they are."""
        async with EnvoyAdmin(envoy.admin_socket) as admin, Supervisor() as tasks:
            for door in self._held:
                tasks.run(_words(door), self._announce(door, envoy, admin, tell))
            if self._held:
                publish()
            async for answer in session.answer.follow():
                if answer is None:
                    continue
                wanted = frozenset(answer.listeners_wanted_of(self._spec.id))
                gone, faults = self._held.keys() - wanted, dict(self._faults)
                for door in gone:
                    self._held.pop(door).close()
                    tell(_closed(door))
                for door in self._faults.keys() - wanted:
                    del self._faults[door]
                new = [door for door in sorted(wanted - self._held.keys()) if self._hold(door, tell)]
                if gone or new or faults != self._faults:
                    publish()
                for door in new:
                    tasks.run(_words(door), self._announce(door, envoy, admin, tell))

    def _hold_again(self, earlier: GatewayPort, hold: Callable[[str, int], HeldPort]) -> None:
        if earlier.fault:
            return
        door = OwnListener(earlier.address, earlier.server_port)
        try:
            self._held[door] = hold(door.address or self._address, earlier.bound_port)
        except PortTaken as error:
            log.warning("%s: port %d of an earlier run: %s", self._spec.id, earlier.bound_port, error)

    def _hold(self, door: OwnListener, tell: Callable[[OwnerEvent], None]) -> bool:
        """A fault is told once, and tried again whenever the control plane says what is wanted."""
        try:
            self._held[door] = self._own(door) if door.address else self._mapped(door.port)
        except PortTaken as error:
            if self._faults.get(door) != str(error):
                tell(Warned(code="no_port", text=f"{_words(door)} cannot be served: {error}"))
            self._faults[door] = str(error)
            return False
        self._faults.pop(door, None)
        return True

    def _mapped(self, port: int) -> HeldPort:
        purpose = f"{self._spec.id} gateway {port}"
        return self._book.hold_mapped(self._address, port, purpose, low_ports=self._spec.serve_low_ports)

    def _own(self, door: OwnListener) -> HeldPort:
        """Nobody holds a program's port until the program listens: it would be taken from it here."""
        own = {each.app_port for each in self._spec.ports}
        if door.port in own or self._book.is_app_port(door.port):
            raise PortTaken(f"{door.address}:{door.port}: a program of this mesh listens there")
        return self._book.hold_exactly(door.address, door.port)

    async def _announce(
        self, door: OwnListener, envoy: Envoy, admin: EnvoyAdmin, tell: Callable[[OwnerEvent], None]
    ) -> None:
        held = self._held[door]

        async def is_served() -> bool:
            ready = envoy.state.value.state in SERVING
            return ready and await admin.is_listening(frozenset((held.port,)))

        if await poll(is_served, POLL_S, lambda: self._held.get(door) is held):
            tell(_served(door, held))

    def _release_all(self) -> None:
        for held in self._held.values():
            held.close()
        self._held.clear()


def _words(door: OwnListener) -> str:
    return f"listener {door.address}:{door.port}" if door.address else f"port {door.port} of the gateway"


def _served(door: OwnListener, held: HeldPort) -> OwnerEvent:
    if door.address:
        text = f"{door.address}:{door.port} leads into the mesh, as a Sidecar says"
        return Progress(stage="listener", text=text)
    return GatewayPortServed(server_port=door.port, bound_port=held.port, address=held.address)


def _closed(door: OwnListener) -> OwnerEvent:
    if door.address:
        return Progress(
            stage="listener", text=f"{door.address}:{door.port} is closed: no Sidecar asks for it"
        )
    return GatewayPortClosed(server_port=door.port)
