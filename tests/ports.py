"""Ports for programs that are told theirs: kept free until the program listens, and while it is away.

    with held_ports(3) as ports:
        Mesh("serve", *(f"--{name}-port={port}" for name, port in zip(NAMES, ports)))

A port that was only looked up is anybody's: the other worker's tests open thousands of connections, and each takes one.
"""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def held_ports(count: int) -> Iterator[tuple[int, ...]]:
    """Ports of 127.0.0.1 which the kernel gives nobody else while the block lasts. Who sets SO_REUSEADDR, as servers of
    ours, etcd and Envoy do, may listen at them: the sockets that hold them never do."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        for each in sockets:  # afterwards: two that would share might be given one port
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield tuple(each.getsockname()[1] for each in sockets)
