"""What a process listens on, as the kernel says it."""

import os
import socket

from proa.node.app_sockets import listening_beyond_loopback, listens_on


def test_a_process_listens_where_it_does() -> None:
    with socket.socket() as held, socket.socket() as server:
        held.bind(("127.0.0.1", 0))  # held is not listened on
        server.bind(("127.0.0.1", 0))
        server.listen()
        port, other = server.getsockname()[1], held.getsockname()[1]
        assert listens_on(os.getpid(), frozenset((port,)))
        assert listens_on(os.getpid(), frozenset()), "it listens somewhere"
        assert not listens_on(os.getpid(), frozenset((port, other)))
        assert not listens_on(1, frozenset((port,))), "another process does not"
        assert port not in {each.port for each in listening_beyond_loopback(os.getpid())}


def test_a_process_that_is_gone_listens_nowhere() -> None:
    assert not listens_on(2**22 + 1, frozenset())
