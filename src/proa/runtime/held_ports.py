"""Free TCP ports that stay free until the program they are meant for listens on them.

A port is held by a socket that is bound and never listens. It is bound alone, which fails when anybody has the
port, and made SO_REUSEPORT only then: from there on another socket of our user that sets SO_REUSEPORT too (as
Envoy's listeners do) may listen beside it, and nobody else may. Held for as long as it is wanted, the port
even survives a restart of the program.
"""

import socket
from collections.abc import Iterable
from types import TracebackType


class PortTaken(Exception):
    """Somebody has the port, or we may not have it."""


class HeldPort:
    """Closing it, by `close` or as a context manager, gives the port back."""

    def __init__(self, address: str, port: int, holder: socket.socket) -> None:
        self.address = address
        self.port = port
        self._holder = holder

    def close(self) -> None:
        self._holder.close()

    def __enter__(self) -> "HeldPort":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def hold_port(address: str, port: int = 0) -> HeldPort:
    """Holds that port, or with 0 one the kernel chooses. Raises PortTaken.

    A port whose last connections linger in TIME_WAIT is free too: the second try allows those (SO_REUSEADDR) and
    still fails for whoever listens, or holds the port as we do.
    """
    try:
        return _bound(address, port, over_lingering=False)
    except OSError:
        pass
    try:
        return _bound(address, port, over_lingering=True)
    except OSError as error:
        raise PortTaken(f"{address}:{port}: {error.strerror}") from None


def _bound(address: str, port: int, *, over_lingering: bool) -> HeldPort:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, over_lingering)
        holder.bind((address, port))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        holder.close()
        raise
    return HeldPort(address, holder.getsockname()[1], holder)


def hold_beside(address: str, port: int) -> HeldPort:
    """Holds a port at which a program of our user listens already, as it was held before that program began (by a
    holder that died). Raises PortTaken when whoever has it does not share."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((address, port))
    except OSError as error:
        holder.close()
        raise PortTaken(f"{address}:{port}: {error.strerror}") from None
    return HeldPort(address, port, holder)


def hold_first(address: str, candidates: Iterable[int]) -> HeldPort:
    """Holds the first of the candidates that is free. Raises PortTaken when none is."""
    for port in candidates:
        try:
            return hold_port(address, port)
        except PortTaken:
            continue
    raise PortTaken(f"{address}: none of the ports asked for is free")


def is_free(address: str, port: int) -> bool:
    """Whether the port could be bound just now; for programs that do not share theirs, so it is not held."""
    try:
        hold_port(address, port).close()
    except PortTaken:
        return False
    return True
