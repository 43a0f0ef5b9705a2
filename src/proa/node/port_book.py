"""Which ports of this host belong to which workload. The agent picks them, so no user types one.

Ports are chosen from the mesh's sidecar range, starting at a place that follows from whose agent it is and what the
port is for: a workload that comes back gets the ports it had, and two agents on one host rarely try the same. That
matters for apps, whose ports nobody holds until they listen: another mesh's app of the same name would be in time to
take this one's port, answer its health checks and get its requests.
"""

import socket
from collections.abc import Iterator

from proa.core.model.digest import digest_bytes
from proa.runtime.held_ports import HeldPort, PortTaken, hold_beside, hold_first, hold_port, is_free

LOOPBACK = "127.0.0.1"


class PortBook:
    """One per agent. `span` is inclusive; `whose` is a text that other agents of this machine do not have."""

    def __init__(self, span: tuple[int, int], whose: str) -> None:
        self._span = span
        self._whose = whose
        self._app_ports: set[int] = set()

    def hold(self, address: str, purpose: str) -> HeldPort:
        """A port of the range for a listener of an Envoy. Raises PortTaken when all are taken."""
        return hold_first(address, (port for port in self._from(purpose) if port not in self._app_ports))

    def hold_exactly(self, address: str, port: int) -> HeldPort:
        """That port and no other. Raises PortTaken."""
        return hold_port(address, port)

    def hold_beside(self, address: str, port: int) -> HeldPort:
        """The port of an Envoy that an earlier agent started and that listens there. Raises PortTaken."""
        return hold_beside(address, port)

    def hold_mapped(self, address: str, server_port: int, purpose: str, *, low_ports: bool) -> HeldPort:
        """A gateway's port: the number asked for when it is free and may be had, else 20000 above it when that
        is in the range and free, else any. Raises PortTaken."""
        wanted = [server_port] if server_port >= 1024 or low_ports else []
        mapped = self._span[0] + server_port
        if mapped <= self._span[1]:
            wanted.append(mapped)
        try:
            return hold_first(address, wanted)
        except PortTaken:
            return self.hold(address, purpose)

    def take_app_port(self, purpose: str) -> int:
        """A free port for the app itself. It is not held, since apps do not share theirs, but no other workload
        of this agent gets it before `return_app_port`. Raises PortTaken."""
        for port in self._from(purpose):
            if port not in self._app_ports and is_free(LOOPBACK, port):
                self._app_ports.add(port)
                return port
        raise PortTaken(f"no port from {self._span[0]} to {self._span[1]} is free")

    def keep_app_port(self, port: int) -> None:
        """The port of an app that runs already. Given back by `return_app_port`."""
        self._app_ports.add(port)

    def is_app_port(self, port: int) -> bool:
        """Whether it was given to a program of this agent's."""
        return port in self._app_ports

    def return_app_port(self, port: int) -> None:
        self._app_ports.discard(port)

    def _from(self, purpose: str) -> Iterator[int]:
        first, last = self._span
        size = last - first + 1
        start = int(digest_bytes(f"{self._whose} {purpose}".encode())[:8], 16) % size
        for offset in range(size):
            yield first + (start + offset) % size


def is_listened_on(port: int) -> bool:
    """Whether somebody answers on loopback."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((LOOPBACK, port)) == 0
