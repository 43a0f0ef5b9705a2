"""Which ports a gateway workload really has: Gateway objects ask for server ports, this host has its own mind.

A port that is taken, or below 1024 without leave to use it, is mapped to a free one; the owner is told where
each is served once the Envoy listens there.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from proa.core.sidecar.local import GatewayPortClosed, GatewayPortServed, OwnerEvent, Warned, WorkloadSpec
from proa.core.sidecar.session import GatewayPort
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
        self._held: dict[int, HeldPort] = {}
        stack.callback(self._release_all)
        for each in earlier:
            self._hold_again(each, book.hold_beside if beside else book.hold_exactly)

    @property
    def ports(self) -> tuple[GatewayPort, ...]:
        return tuple(
            GatewayPort(server_port=server, bound_port=held.port)
            for server, held in sorted(self._held.items())
        )

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
            for port in self._held:
                tasks.run(f"gateway port {port}", self._announce(port, envoy, admin, tell))
            if self._held:
                publish()
            async for answer in session.answer.follow():
                if answer is None:
                    continue
                wanted = frozenset(answer.ports_wanted_of(self._spec.id))
                gone = self._held.keys() - wanted
                new = [port for port in sorted(wanted - self._held.keys()) if self._hold(port, tell)]
                for port in gone:
                    self._held.pop(port).close()
                    tell(GatewayPortClosed(server_port=port))
                if gone or new:
                    publish()
                for port in new:
                    tasks.run(f"gateway port {port}", self._announce(port, envoy, admin, tell))

    def _hold_again(self, earlier: GatewayPort, hold: Callable[[str, int], HeldPort]) -> None:
        try:
            self._held[earlier.server_port] = hold(self._address, earlier.bound_port)
        except PortTaken as error:
            log.warning("%s: port %d of an earlier run: %s", self._spec.id, earlier.bound_port, error)

    def _hold(self, port: int, tell: Callable[[OwnerEvent], None]) -> bool:
        try:
            self._held[port] = self._book.hold_mapped(
                self._address,
                port,
                f"{self._spec.id} gateway {port}",
                low_ports=self._spec.serve_low_ports,
            )
        except PortTaken as error:
            tell(Warned(code="no_port", text=f"port {port} of the gateway cannot be served: {error}"))
            return False
        return True

    async def _announce(
        self, port: int, envoy: Envoy, admin: EnvoyAdmin, tell: Callable[[OwnerEvent], None]
    ) -> None:
        held = self._held[port]

        async def is_served() -> bool:
            ready = envoy.state.value.state in SERVING
            return ready and await admin.is_listening(frozenset((held.port,)))

        if await poll(is_served, POLL_S, lambda: self._held.get(port) is held):
            tell(GatewayPortServed(server_port=port, bound_port=held.port, address=self._address))

    def _release_all(self) -> None:
        for held in self._held.values():
            held.close()
        self._held.clear()
