"""Where a peer comes from, and whose key is whose."""

import asyncio
import os
import ssl
from pathlib import Path

import pytest

from proa.servers.grpc_edge.credentials import Credentials, is_loopback, process_of
from tests.unit.servers.grpc_edge.edges import authority


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_known_in_every_spelling(address: str) -> None:
    assert is_loopback((address, 5000))


@pytest.mark.parametrize(
    "peername", [("10.0.0.1", 5000), ("fe80::1%eth0", 5000, 0, 2), ("localhost", 1), "", None]
)
def test_everything_else_is_elsewhere(peername: object) -> None:
    assert not is_loopback(peername)


def test_new_credentials_are_a_new_context() -> None:
    """Connections that shake hands keep the one they began with."""
    ours = authority()
    credentials = ours.server()
    before = credentials.context
    key, chain = ours.node()
    credentials.set(key, chain, ours.root.pem)
    assert credentials.context is not before
    assert credentials.context.verify_mode is ssl.CERT_REQUIRED


def test_a_key_of_another_certificate_is_refused_and_the_old_one_stays() -> None:
    ours = authority()
    credentials = ours.server()
    before = credentials.context
    key, _ = ours.node()
    _, chain = ours.node()
    with pytest.raises(ssl.SSLError):
        credentials.set(key, chain, ours.root.pem)
    assert credentials.context is before


def test_nonsense_is_no_root() -> None:
    key, chain = authority().node()
    with pytest.raises(ssl.SSLError):
        Credentials(key, chain, "no certificate")


def test_the_kernel_tells_who_is_at_the_other_end_of_a_unix_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            told.put_nowait(process_of(writer.transport))
            writer.close()

        path = tmp_path / "s"
        async with asyncio.timeout(60):
            async with await asyncio.start_unix_server(connected, path):
                _, writer = await asyncio.open_unix_connection(path)
                assert await told.get() == (os.getpid(), os.geteuid())
                writer.close()
            async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                assert await told.get() == (0, -1)
                writer.close()

    asyncio.run(scenario())
