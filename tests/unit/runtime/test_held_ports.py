"""A held port is ours alone, except for who may share it."""

import socket

import pytest

from proa.runtime.held_ports import PortTaken, hold_beside, hold_first, hold_port, is_free

HOST = "127.0.0.1"


def test_nobody_else_gets_a_held_port_but_a_sharing_listener_does() -> None:
    with hold_port(HOST) as held:
        with pytest.raises(PortTaken):
            hold_port(HOST, held.port)
        assert not is_free(HOST, held.port)
        with socket.socket() as listener, socket.socket() as client:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((HOST, held.port))
            listener.listen()
            client.connect((HOST, held.port))
            listener.accept()[0].close()


def test_a_port_that_a_sharing_program_listens_on_is_held_beside_it() -> None:
    """As an agent does whose predecessor held it, and died."""
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken):
            hold_port(HOST, port)
        with hold_beside(HOST, port):
            client.connect((HOST, port))
            listener.accept()[0].close()
            listener.close()
            with pytest.raises(PortTaken):
                hold_port(HOST, port)


def test_a_port_of_a_program_that_does_not_share_is_not_held_beside_it() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        with pytest.raises(PortTaken):
            hold_beside(HOST, listener.getsockname()[1])


def test_connections_that_linger_do_not_take_a_port() -> None:
    with hold_port(HOST) as first, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((HOST, first.port))
        listener.listen()
        with socket.socket() as client:
            client.connect((HOST, first.port))
            listener.accept()[0].close()
            assert client.recv(1) == b""
    with hold_port(HOST, first.port), pytest.raises(PortTaken):
        hold_port(HOST, first.port)


def test_a_program_of_its_own_that_listens_has_its_port() -> None:
    with socket.create_server((HOST, 0)) as listener:
        assert not is_free(HOST, listener.getsockname()[1])


def test_the_first_free_candidate_is_taken() -> None:
    with hold_port(HOST) as one, hold_port(HOST) as two:
        two.close()
        with hold_first(HOST, (one.port, two.port)) as held:
            assert held.port == two.port
        with pytest.raises(PortTaken):
            hold_first(HOST, (one.port,))
