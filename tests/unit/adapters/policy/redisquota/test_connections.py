import asyncio
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from proa.adapters.policy.redisquota.connections import RedisPool
from proa.core.config.redis_address import parse_redis_address
from proa.ports.failures import HandlerPermanent, HandlerTemporary
from tests.redis_process import RedisProcess, why_no_redis


@contextmanager
def server(*answers: bytes) -> Iterator[str]:
    """Answers each command with the next of `answers`, on whatever connection, and SILENCE never."""
    waiting = list(answers)

    class Serve(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while command := self.request.recv(4096):
                    if b"SILENCE" not in command:
                        self.request.sendall(waiting.pop(0) if waiting else b"")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Serve) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join()


async def ask(address: str, *, deadline_s: float = 20.0) -> object:
    async with RedisPool(parse_redis_address(address), 1, deadline_s=deadline_s) as pool:
        return await pool.ask(("PING",))


@pytest.mark.parametrize(
    ("answer", "failure", "said"),
    [
        (b"-LOADING it reads its data\r\n", HandlerTemporary, "LOADING it reads"),
        (b"-NOPERM not yours\r\n", HandlerPermanent, "NOPERM not yours"),
        (b"?\r\n", HandlerTemporary, "begins with"),
        (b":many\r\n", HandlerTemporary, "where a number is due"),
        (b"$99999999\r\n", HandlerTemporary, "a text of 99999999 bytes"),
        (b"*99999\r\n", HandlerTemporary, "an answer of 99999 items"),
    ],
)
def test_every_failure_is_named(answer: bytes, failure: type[Exception], said: str) -> None:
    with server(answer) as address, pytest.raises(failure, match=said):
        asyncio.run(ask(address))


def test_silence_ends_with_the_deadline_and_its_connection_with_it() -> None:
    """The answer that comes late is nobody's."""

    async def body(address: str) -> None:
        redis = parse_redis_address(address)
        async with (
            RedisPool(redis, 1, deadline_s=20.0) as patient,
            RedisPool(redis, 1, deadline_s=0.2) as pool,
        ):
            with pytest.raises(HandlerTemporary, match="has not answered within"):
                await pool.ask(("SILENCE",))
            assert await patient.ask(("PING",)) == b"in time"

    with server(b"+in time\r\n") as address:
        asyncio.run(body(address))


def test_no_more_wait_than_may() -> None:
    async def body(address: str) -> None:
        pool = RedisPool(parse_redis_address(address), 1, deadline_s=20.0, most_waiting=1)
        async with pool, asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(pool.ask(("SILENCE",))) for _ in range(2)]
            await asyncio.sleep(0)  # both have begun: one has the connection, one waits for it
            with pytest.raises(HandlerTemporary, match="1 calls wait for Redis"):
                await pool.ask(("PING",))
            for each in asked:
                each.cancel()

    with server() as address:
        asyncio.run(body(address))


def test_nobody_is_there() -> None:
    with server() as address:
        pass
    with pytest.raises(HandlerTemporary, match=f"Redis at {address} cannot be reached"):
        asyncio.run(ask(address))


def test_a_pool_that_is_closed_opens_nothing() -> None:
    async def body(address: str) -> None:
        async with RedisPool(parse_redis_address(address), 1, deadline_s=20.0) as pool:
            assert await pool.ask(("PING",)) == b"OK"
        with pytest.raises(HandlerTemporary, match="are closed"):
            await pool.ask(("PING",))

    with server(b"+OK\r\n") as address:
        asyncio.run(body(address))


@pytest.mark.skipif(bool(why_no_redis()), reason=why_no_redis())
def test_passwords_and_databases() -> None:
    async def body(address: str) -> None:
        assert await ask(f"redis://:s3cret@{address}/2") == b"PONG"
        with pytest.raises(HandlerPermanent, match="NOAUTH") as unasked:
            await ask(address)
        with pytest.raises(HandlerPermanent, match="WRONGPASS") as wrong:
            await ask(f"redis://:other-word@{address}")
        with pytest.raises(HandlerPermanent, match="ERR"):
            await ask(f"redis://:s3cret@{address}/999")
        assert "other-word" not in f"{unasked.value}{wrong.value}"

    with RedisProcess(password="s3cret") as process:
        asyncio.run(body(process.address))
