"""Our server under gRPC's own clients, and under a socket that keeps no rules."""

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from proa.core.auth.spiffe import SpiffeId
from proa.core.grpc_wire.asking import Call
from proa.core.grpc_wire.status import Code, Status
from proa.servers.asgi import bind_tcp, bind_unix
from proa.servers.grpc_edge import ByteStream, NotNow, PeerRefused, service, serving_grpc, unary_method
from proa.servers.grpc_edge.server import send_at_once
from tests.unit.core.grpc_wire.peers import GREETING, cut, opening
from tests.unit.servers.grpc_edge.edges import (
    NODE,
    PATIENCE_S,
    authority,
    channel,
    plain,
    serving,
    sync_channel,
)

BIG = bytes(range(256)) * 20_000


async def echo(stream: ByteStream) -> None:
    while (body := await stream.read()) is not None:
        await stream.write(body)


async def double(peer: SpiffeId, body: bytes) -> bytes:
    return body * 2 + str(peer).encode()


def bidi(connection: grpc.aio.Channel, method: str = "echo", **options: Any) -> Any:
    return cast(Any, connection).stream_stream(f"/test/{method}")(timeout=PATIENCE_S, **options)


def unary(connection: grpc.aio.Channel, body: bytes, method: str = "double") -> Awaitable[bytes]:
    call = cast(Any, connection).unary_unary(f"/test/{method}")
    return cast("Awaitable[bytes]", call(body, timeout=PATIENCE_S, wait_for_ready=True))


def run(work: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(2 * PATIENCE_S):
            await work

    asyncio.run(bounded())


def test_unary_calls_know_their_peer() -> None:
    async def main() -> None:
        async with serving({"double": unary_method(double)}) as port, channel(port) as connection:
            assert await unary(connection, b"ab") == b"abab" + NODE.encode()
            answers = [unary(connection, str(number).encode()) for number in range(50)]
            for number, answer in enumerate(answers):
                assert (await answer).startswith(str(number).encode() * 2)

    run(main())


def test_messages_of_all_sizes_come_back_in_order() -> None:
    bodies = [b"", b"x", bytes(16_384), BIG, b"last"]

    async def main() -> None:
        async with serving({"echo": echo}) as port, channel(port) as connection:
            call = bidi(connection)
            for body in bodies:
                await call.write(body)
                assert await call.read() == body
            await call.done_writing()
            assert await call.read() == cast(Any, grpc.aio).EOF
            assert await call.code() == grpc.StatusCode.OK

    run(main())


def test_many_streams_on_one_connection() -> None:
    async def one(connection: grpc.aio.Channel, number: int) -> None:
        call = bidi(connection)
        for turn in range(3):
            body = f"{number} {turn}".encode() * 50
            await call.write(body)
            assert await call.read() == body
        await call.done_writing()
        assert await call.code() == grpc.StatusCode.OK

    async def main() -> None:
        async with serving({"echo": echo}) as port, channel(port) as connection, asyncio.TaskGroup() as tasks:
            for number in range(200):
                tasks.create_task(one(connection, number))

    run(main())


def test_the_threaded_client() -> None:
    def talk(port: int) -> None:
        with sync_channel(port) as connection:
            raw = cast(Any, connection)
            assert raw.unary_unary("/test/double")(b"a", timeout=PATIENCE_S).startswith(b"aa")
            bodies = [b"one", BIG, b"three"]
            assert list(raw.stream_stream("/test/echo")(iter(bodies), timeout=PATIENCE_S)) == bodies

    async def main() -> None:
        async with serving({"double": unary_method(double), "echo": echo}) as port:
            await asyncio.to_thread(talk, port)

    run(main())


def test_metadata_arrives_and_the_peer_is_local() -> None:
    seen: list[tuple[str | None, bool, str]] = []

    async def look(stream: ByteStream) -> None:
        seen.append((stream.metadata.get("proa-workload"), stream.is_local, str(stream.peer)))

    async def main() -> None:
        async with serving({"look": look}) as port, channel(port) as connection:
            call = bidi(connection, "look", metadata=(("proa-workload", "default/x"), ("b-bin", b"\0")))
            assert await call.code() == grpc.StatusCode.OK

    run(main())
    assert seen == [("default/x", True, NODE)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PeerRefused("why: 100 % sure, ünd"), grpc.StatusCode.PERMISSION_DENIED),
        (NotNow("why: 100 % sure, ünd"), grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_a_refused_client_hears_why(error: Exception, code: grpc.StatusCode) -> None:
    async def refuse(stream: ByteStream) -> None:
        raise error

    async def main() -> None:
        async with serving({"refuse": refuse}) as port, channel(port) as connection:
            for _ in range(20):
                call = bidi(connection, "refuse")
                await call.write(b"who am I?")
                assert (await call.code(), await call.details()) == (code, str(error))

    run(main())


def test_a_bug_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(stream: ByteStream) -> None:
        await stream.read()
        raise KeyError("secret")

    async def main() -> None:
        async with serving({"fail": fail}) as port, channel(port) as connection:
            call = bidi(connection, "fail")
            await call.write(b"x")
            assert await call.code() == grpc.StatusCode.UNKNOWN
            assert "secret" not in await call.details()

    run(main())
    assert "secret" in caplog.text


def test_unknown_methods_and_wrong_numbers_of_messages_are_unimplemented() -> None:
    async def main() -> None:
        async with serving({"double": unary_method(double)}) as port, channel(port) as connection:
            assert await bidi(connection, "nothing").code() == grpc.StatusCode.UNIMPLEMENTED
            for count in (0, 2):
                call = bidi(connection, "double")
                for _ in range(count):
                    await call.write(b"x")
                await call.done_writing()
                assert await call.code() == grpc.StatusCode.UNIMPLEMENTED

    run(main())


def test_a_whole_call_of_an_unknown_method_in_one_piece_breaks_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        with bind_unix(tmp_path / "s") as bound:
            async with serving_grpc([service("test", {"echo": echo})], [bound], None, 0.2):
                reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
                call = Call("/test/nothing", b"x" * 1000)
                writer.write(call.take())
                while call.status is None and (data := await reader.read(65536)):
                    call.receive(data)
                assert call.status == Status(Code.UNIMPLEMENTED, "there is no method /test/nothing")
                writer.transport.abort()
                await writer.wait_closed()

    run(main())


def test_a_deadline_ends_the_handler() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait(stream: ByteStream) -> None:
        started.set()
        try:
            await stream.read()
            await stream.read()
        finally:
            ended.set()

    async def main() -> None:
        async with serving({"wait": wait}) as port, channel(port) as connection:
            while not started.is_set():  # a busy machine may need all of its time for the handshake
                call = cast(Any, connection).stream_stream("/test/wait")(timeout=0.3)
                assert await call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            await ended.wait()

    run(main())


def test_a_client_that_cancels_ends_the_handler_while_it_writes() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def flood(stream: ByteStream) -> None:
        try:
            while True:
                await stream.write(bytes(100_000))
                started.set()
        finally:
            ended.set()

    async def main() -> None:
        async with serving({"flood": flood, "echo": echo}) as port, channel(port) as connection:
            call = bidi(connection, "flood")
            await started.wait()
            call.cancel()
            await ended.wait()
            again = bidi(connection)
            await again.write(b"the connection lives")
            assert await again.read() == b"the connection lives"

    run(main())


def test_a_client_that_does_not_read_holds_its_writer_and_nobody_else() -> None:
    written = 0
    total = 400

    async def pour(stream: ByteStream) -> None:
        nonlocal written
        for _ in range(total):
            await stream.write(bytes(100_000))
            written += 1

    async def main() -> None:
        async with (
            serving({"pour": pour, "echo": echo}) as port,
            channel(port) as slow,
            channel(port) as other,
        ):
            call = bidi(slow, "pour")
            await call.initial_metadata()
            lively = bidi(other)
            for _ in range(50):
                await lively.write(b"x")
                assert await lively.read() == b"x"
            assert written < total
            for _ in range(total):
                assert len(await call.read()) == 100_000
            assert await call.code() == grpc.StatusCode.OK

    run(main())


def test_calls_may_end_within_the_grace() -> None:
    async def main() -> None:
        leaving = asyncio.Event()
        bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def host() -> None:
            async with serving({"echo": echo}, grace_s=PATIENCE_S) as port:
                bound.set_result(port)
                await leaving.wait()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(host())
            async with channel(await bound) as connection:
                call = bidi(connection)
                await call.write(b"here")
                assert await call.read() == b"here"
                leaving.set()
                await call.write(b"still served")
                assert await call.read() == b"still served"
                await call.done_writing()
                assert await call.code() == grpc.StatusCode.OK

    run(main())


def test_calls_that_do_not_end_are_told_to_come_again() -> None:
    async def main() -> None:
        async with serving({"echo": echo}) as port:
            connection = channel(port)
            call = bidi(connection)
            await call.write(b"here")
            assert await call.read() == b"here"
        assert await call.code() == grpc.StatusCode.UNAVAILABLE
        await connection.close(None)

    run(main())


def test_a_client_comes_back_to_a_server_that_was_away() -> None:
    async def main() -> None:
        async with serving({"double": unary_method(double)}) as port:
            connection = channel(port)
            await unary(connection, b"x")
        try:
            for _ in range(3):
                async with serving({"double": unary_method(double)}, port=port):
                    assert (await unary(connection, b"again")).startswith(b"againagain")
        finally:
            await connection.close(None)

    run(main())


def test_roots_and_keys_are_replaced_for_connections_to_come() -> None:
    async def main() -> None:
        ours, theirs = authority(), authority("theirs")
        credentials = ours.server()
        async with serving({"echo": echo}, tls=credentials) as port, channel(port) as connection:
            old = bidi(connection)
            await old.write(b"x")
            assert await old.read() == b"x"
            key, chain = ours.node("server")
            credentials.set(key, chain, theirs.root.pem)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await _first_bytes(port, ours.node())
            await _first_bytes(port, theirs.node())
            await old.write(b"the old connection stays")
            assert await old.read() == b"the old connection stays"

    run(main())


async def _first_bytes(port: int, identity: tuple[str, str] | None, alpn: str = "h2") -> bytes:
    """What the server says first. Raises what the handshake, or reading, raises."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    if identity is not None:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("".join(identity))
            file.flush()
            context.load_cert_chain(file.name)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        return await reader.readexactly(9)
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("nothing was said") from error
    finally:
        writer.transport.abort()


def test_nobody_without_a_certificate_of_ours_or_without_http_2_is_heard() -> None:
    async def main() -> None:
        async with serving({"echo": echo}) as port:
            assert await _first_bytes(port, authority().node())
            for identity, alpn in (
                (None, "h2"),
                (authority("theirs").node(), "h2"),
                (authority().node(), "http/1.1"),
            ):
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await _first_bytes(port, identity, alpn)

    run(main())


def test_strangers_in_the_middle_of_a_handshake_are_sent_away_at_the_end() -> None:
    async def main() -> None:
        async with serving({"echo": echo}) as port:
            strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            assert await _first_bytes(port, authority().node())
        for reader, writer in strangers:
            assert await reader.read() == b""
            writer.close()

    run(main())


@pytest.fixture
def path() -> Any:
    with tempfile.TemporaryDirectory(prefix="proa-") as directory:
        yield Path(directory) / "socket"


def test_a_unix_socket_in_plain_text(path: Path) -> None:
    async def main() -> None:
        with bind_unix(path) as listener:
            server = serving_grpc([service("test", {"echo": echo})], [listener], None, 0.2)
            async with server, plain(listener) as connection:
                call = bidi(connection)
                await call.write(BIG)
                assert await call.read() == BIG

    run(main())


class Socket:
    """A plain connection of bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> "Socket":
        self.reader, self._writer = await asyncio.open_unix_connection(self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def say(self, said: bytes) -> None:
        self._writer.write(said)
        await self._writer.drain()


@asynccontextmanager
async def _echo_server(path: Path, handler: Any = echo) -> AsyncIterator[None]:
    with bind_unix(path) as listener:
        async with serving_grpc([service("service", {"Method": handler})], [listener], None, 0.2):
            yield


def test_a_peer_that_speaks_something_else_gets_a_goodbye(path: Path) -> None:
    async def main() -> None:
        async with _echo_server(path), Socket(path) as peer:
            await peer.say(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
            assert cut(await peer.reader.read())[-1][0] == 7

    run(main())


def test_a_call_that_is_reset_in_the_same_breath_leaves_nothing(path: Path) -> None:
    """Its handler's task is cancelled before its first step."""
    started = 0

    async def count(stream: ByteStream) -> None:
        nonlocal started
        started += 1
        await stream.write(b"here")

    async def main() -> None:
        async with _echo_server(path, count), Socket(path) as peer:
            hasty = b"".join(
                opening(n) + b"\0\0\4\3\0" + n.to_bytes(4, "big") + bytes(4) for n in range(1, 999, 2)
            )
            await peer.say(GREETING + hasty + opening(1001, ends=True))
            seen = b""
            while b"here" not in seen:
                seen += await peer.reader.read(65_536)

    run(main())
    assert started == 1


def test_a_peer_that_vanishes_ends_its_calls(path: Path) -> None:
    ended = asyncio.Event()

    async def wait(stream: ByteStream) -> None:
        try:
            await stream.read()
        finally:
            ended.set()

    async def main() -> None:
        async with _echo_server(path, wait):
            async with Socket(path) as peer:
                await peer.say(GREETING + opening(1))
                await peer.reader.readexactly(9)
            await ended.wait()

    run(main())


def test_a_listening_socket_is_closed_at_the_end() -> None:
    async def main() -> None:
        async with serving({"echo": echo}) as port:
            pass
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0

    run(main())


def test_the_end_of_an_answer_does_not_wait_for_an_acknowledgement() -> None:
    with bind_tcp("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            send_at_once(accepted)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    one, other = socket.socketpair()
    with one, other:
        send_at_once(one)  # a Unix socket never waits
