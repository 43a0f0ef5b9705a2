"""Where a node finds a control plane: which addresses it knows, and in which order it tries them.

The order is the node's own and the same each time, so that the nodes spread over all control planes without anybody
dealing them out, and a node that comes back goes where it was. The addresses are those of its token, then whatever the
control plane it speaks with says that there are.
"""

import asyncio
import hashlib
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Protocol

from proa.core.sidecar.session import SessionState
from proa.runtime.cell import Cell

RESOLVE_S: Final = 2.0
MOST: Final = 16
"""Addresses that are kept: more control planes than any mesh has."""


def in_order_of(node: str, servers: Iterable[str]) -> tuple[str, ...]:
    """The servers, each once, as this node tries them: every node has an order of its own, and a server that comes or
    goes moves no other."""

    def draw(server: str) -> bytes:
        return hashlib.sha256(f"{node} {server}".encode()).digest()

    return tuple(sorted(set(servers), key=draw))[:MOST]


async def target_of(servers: tuple[str, ...]) -> str:
    """All of the servers for gRPC, which tries one after the other; names as the addresses they stand for now. A single
    name is left to gRPC, and so are names that nobody can resolve.

    Raises ValueError when there is none.
    """
    if not servers:
        raise ValueError("no address of a control plane is known")
    if len(servers) == 1 and _literal(_host(servers[0])) is None:
        return f"dns:///{servers[0]}"
    addresses = [address for server in servers for address in await _addresses(server)]
    four = [address for address in addresses if not address.startswith("[")]
    six = [address for address in addresses if address.startswith("[")]
    if not addresses:
        return f"dns:///{servers[0]}"
    # One target has one family: IPv4 when there is any of it.
    return "ipv4:" + ",".join(four) if four else "ipv6:" + ",".join(six)


async def _addresses(server: str) -> list[str]:
    host, port = _host(server), server.rpartition(":")[2]
    literal = _literal(host)
    if literal is not None:
        return [_spelled(literal, port)]
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    return list(
        dict.fromkeys(_spelled(ip_address(str(each[4][0]).partition("%")[0]), port) for each in found)
    )


def _host(server: str) -> str:
    return server.rpartition(":")[0].strip("[]")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _spelled(address: IPv4Address | IPv6Address, port: str) -> str:
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


class Movable(Protocol):
    async def move_to(self, servers: tuple[str, ...]) -> None: ...


async def learn_servers(answers: Cell[SessionState | None], keeper: Movable) -> None:
    """Keeps in the node's credential, and on disk, where its control planes are. Until cancelled."""
    async for state in answers.follow():
        if state is not None and state.servers:
            await keeper.move_to(tuple(sorted(state.servers)[:MOST]))
