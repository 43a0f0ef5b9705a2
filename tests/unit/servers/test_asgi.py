"""Sockets for small servers: what is taken or wrong is said with the address."""

from pathlib import Path

import pytest

from proa.servers.asgi import AddressTaken, bind_tcp, bind_unix, to_authority


def test_a_port_that_is_taken_is_named() -> None:
    with bind_tcp("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(AddressTaken, match=f"port {port} of 127.0.0.1 is taken"):
            bind_tcp("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1"):
        bind_tcp("192.0.2.1", 0)


def test_a_socket_file_of_a_crashed_server_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    bind_unix(path).close()
    with bind_unix(path), pytest.raises(AddressTaken):
        bind_unix(path)


def test_ipv6_addresses_stand_in_brackets() -> None:
    assert to_authority("::1", 15012) == "[::1]:15012"
    assert to_authority("10.0.0.1", 15012) == "10.0.0.1:15012"
    assert to_authority("plane.example", 15012) == "plane.example:15012"
