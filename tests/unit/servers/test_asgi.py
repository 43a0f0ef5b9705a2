"""Small servers: a socket that is taken or wrong is said with its address, and strangers do not stay."""

import asyncio
import gc
import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from proa.servers.asgi import AddressTaken, Strangers, bind_tcp, bind_unix, serving, to_authority


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


@pytest.mark.parametrize("rounds", range(5))
def test_a_connection_of_the_last_moment_is_closed_too(tmp_path: Path, rounds: int) -> None:
    """A leak would be warned of when the transport is collected, and warnings fail."""

    async def scene() -> None:
        bound = bind_unix(tmp_path / "admin.sock")
        async with serving(HELLO, [bound]):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(bound.getsockname())
            for _ in range(rounds):
                await asyncio.sleep(0)

    asyncio.run(scene())
    gc.collect()


def test_ipv6_addresses_stand_in_brackets() -> None:
    assert to_authority("::1", 15012) == "[::1]:15012"
    assert to_authority("10.0.0.1", 15012) == "10.0.0.1:15012"
    assert to_authority("plane.example", 15012) == "plane.example:15012"


HELLO = Starlette(routes=[Route("/", lambda _: PlainTextResponse("hello"))])
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


async def said(address: tuple[str, int], request: bytes) -> bytes:
    """All that comes until the server ends the connection, however it does."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_a_stranger_who_says_nothing_or_too_slowly_is_cut_off() -> None:
    async def scene() -> None:
        bound = bind_tcp("127.0.0.1", 0)
        address = bound.getsockname()
        async with asyncio.timeout(10), serving(HELLO, [bound], strangers=Strangers(stay_s=0.1)):
            assert await said(address, b"") == b""
            assert await said(address, REQUEST[:-2]) == b""
            assert b"hello" in await said(address, REQUEST)

    asyncio.run(scene())


def test_strangers_are_no_more_than_their_bound_and_leave_room_for_others() -> None:
    async def scene() -> None:
        bound = bind_tcp("127.0.0.1", 0)
        address = bound.getsockname()
        bounds = Strangers(stay_s=0.3, at_once=2)
        async with asyncio.timeout(10), serving(HELLO, [bound], strangers=bounds):
            async with asyncio.TaskGroup() as tasks:
                idle = [tasks.create_task(said(address, b"")) for _ in range(2)]
                await asyncio.sleep(0)
                while b"hello" in await said(address, REQUEST):
                    pass  # the idle ones have not all arrived
                assert not any(task.done() for task in idle)
            assert b"hello" in await said(address, REQUEST)

    asyncio.run(scene())
