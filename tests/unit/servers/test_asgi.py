"""Small servers: a socket that is taken or wrong is said with its address, and strangers do not stay."""

import asyncio
import gc
import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from proa.servers.asgi import (
    AddressTaken,
    Strangers,
    bind_tcp,
    bind_unix,
    may_administrate,
    serving,
    to_authority,
)


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


def test_a_stranger_who_says_nothing_or_too_slowly_is_cut_off_and_leaves_his_place() -> None:
    async def scene() -> None:
        bound = bind_tcp("127.0.0.1", 0)
        address = bound.getsockname()
        bounds = Strangers(stay_s=0.1, at_once=1)
        async with asyncio.timeout(60), serving(HELLO, [bound], strangers=bounds):
            assert await said(address, b"") == b""
            assert await said(address, REQUEST[:-2]) == b""
            while b"hello" not in await said(address, REQUEST):
                pass  # on a busy machine a whole request may take longer than strangers may stay

    asyncio.run(scene())


def test_strangers_are_no_more_than_their_bound_and_leave_room_for_others() -> None:
    async def scene() -> None:
        bound = bind_tcp("127.0.0.1", 0)
        address = bound.getsockname()
        bounds = Strangers(stay_s=600, at_once=2)
        async with asyncio.timeout(60), serving(HELLO, [bound], strangers=bounds):
            idle = [await asyncio.open_connection(*address) for _ in range(2)]
            while b"hello" in await said(address, REQUEST):
                pass  # the idle ones have not all arrived
            for _, writer in idle:
                writer.close()
            while b"hello" not in await said(address, REQUEST):
                pass  # nor has their leaving

    asyncio.run(scene())


def test_the_admin_socket_is_for_its_user_and_root_by_the_kernels_word() -> None:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse("yes")

    async def body(tmp_path: Path) -> list[int]:
        told: list[int] = []
        bound = bind_unix(tmp_path / "admin.sock")
        app = Starlette(routes=[Route("/", answer)])
        async with serving(app, [bound], refused=told.append):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "admin.sock")
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200" in await reader.readline()
            writer.close()
            if os.geteuid() == 0:
                told.append(await another_user_asks(tmp_path))
        return told

    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(body(Path(folder)))
    assert told == ([NOBODY, 0] if os.geteuid() == 0 else [])
    assert not may_administrate(-1)
    assert may_administrate(os.geteuid())


NOBODY = 65534
ASK = """
import os, socket, sys
os.setuid(int(sys.argv[1]))
with socket.socket(socket.AF_UNIX) as asking:
    asking.connect(sys.argv[2])
    try:
        asking.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        print(len(asking.recv(100)))
    except OSError:
        print(0)
"""


def open_to_all(folder: Path) -> None:
    folder.chmod(0o711)
    (folder / "admin.sock").chmod(0o777)


async def another_user_asks(folder: Path) -> int:
    """The bytes that a process of another user gets, though every mode lets it connect."""
    open_to_all(folder)
    asking = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        ASK,
        str(NOBODY),
        str(folder / "admin.sock"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asking.communicate()
    return int(out)
