import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proa.testing.http1 import Response
from proa.testing.load import LoadPlan, LoadResult, Record, Shot, acceptance_plan, offer_load

StreamHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def _raw_server(handler: StreamHandler) -> AsyncIterator[str]:
    """The URL of a server that speaks as the handler does, per connection."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(guarded, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = [line for line in head.split("\r\n") if line.startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0].split(":")[1])) if lengths else b""
    return head, body


def _run(handler: StreamHandler, plan: Callable[[str], LoadPlan], **options: object) -> LoadResult:
    async def run() -> LoadResult:
        async with _raw_server(handler) as url:
            return await offer_load(plan(url), **options)  # type: ignore[arg-type]

    return asyncio.run(run())


def _quick(url: str, count: int = 10, connections: int = 2) -> LoadPlan:
    return LoadPlan(shots=(Shot(url=f"{url}/a"),), rate=500, seconds=count / 500, connections=connections)


async def _answer_forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await _read_request(reader)
        writer.write(OK)


class LeapingClock:
    """Time is whatever one last asked to sleep until, at once: a schedule is over before its first request leaves."""

    def __init__(self) -> None:
        self.moment = 0.0

    def now(self) -> float:
        return self.moment

    async def sleep_until(self, moment: float) -> None:
        self.moment = moment


def test_the_acceptance_load_is_one_call() -> None:
    heads: list[str] = []
    bodies: list[bytes] = []
    connections: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while True:
            head, body = await _read_request(reader)
            heads.append(head.split(" HTTP")[0])
            bodies.append(body)
            writer.write(OK)

    result = _run(handler, lambda url: acceptance_plan(f"{url}/g?a=b", f"{url}/p", b"x=1", seconds=0.4))
    assert (result.plan.rate, result.plan.connections) == (50, 4)
    assert (result.sent, result.ok, result.failures) == (20, 20, ())
    assert heads.count("GET /g?a=b") == 16
    assert heads.count("POST /p") == bodies.count(b"x=1") == 4
    assert len(connections) <= 4
    assert 0 < result.achieved_rate <= 50
    assert "20 sent, 20 ok, 0 failed" in result.summary()


def _one_a_second(url: str, timeout_s: float) -> LoadPlan:
    return LoadPlan(shots=(Shot(url=url),), rate=1, seconds=10, connections=1, timeout_s=timeout_s)


def test_latency_counts_from_the_schedule_not_from_the_sending() -> None:
    result = _run(_answer_forever, lambda url: _one_a_second(url, 15), clock=LeapingClock())
    assert result.failures == ()
    assert [record.intended for record in result.records] == list(range(10))
    assert [record.sent for record in result.records] == [9] * 10
    assert [record.latency for record in result.records] == [9 - n for n in range(10)]
    assert (result.latency(50), result.latency(100)) == (4, 9)


def test_a_request_that_never_got_a_connection_times_out_unsent() -> None:
    result = _run(_answer_forever, lambda url: _one_a_second(url, 5), clock=LeapingClock())
    assert [record.failure for record in result.records] == [*["timeout"] * 5, *[None] * 5]
    assert [record.sent for record in result.records] == [*[None] * 5, *[9] * 5]


def test_silence_is_a_timeout_and_the_connection_is_not_used_again() -> None:
    accepted: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(1)
        while len(accepted) > 1:
            await _read_request(reader)
            writer.write(OK)
        await (
            reader.read()
        )  # the first connection hears everything and says nothing until the client goes away

    def plan(url: str) -> LoadPlan:
        """Both are due at once by the real clock: the first has 0.1 s left of its time, the second 100 s more."""
        return LoadPlan(shots=(Shot(url=url),), rate=0.01, seconds=200, connections=1, timeout_s=100.1)

    result = _run(handler, plan, clock=LeapingClock())
    assert [record.failure for record in result.records] == ["timeout", None]
    assert len(accepted) == 2


def test_a_refused_connection_is_a_failure_with_its_reason() -> None:
    async def run() -> LoadResult:
        async with _raw_server(_answer_forever) as url:
            pass
        return await offer_load(_quick(url, count=2))

    result = asyncio.run(run())
    assert [record.failure for record in result.failures] == ["connect", "connect"]
    assert "connect 2; first: GET at 0.00 s" in result.summary()
    assert math.isnan(result.latency(50))


def test_a_bad_status_is_a_failure_unless_the_caller_says_otherwise() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await _read_request(reader)
            writer.write(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 2\r\n\r\nUF")

    result = _run(handler, _quick)
    assert {(record.failure, record.status, record.detail) for record in result.records} == {
        ("status", 503, "503 UF")
    }
    assert _run(handler, _quick, is_ok=lambda response: True).failures == ()


async def _close_second_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a keep-alive timeout at the wrong moment looks like: read, then closed without a byte."""
    await _read_request(reader)
    writer.write(OK)
    await _read_request(reader)


def test_an_idle_race_is_reported_apart_and_never_sent_again() -> None:
    def plan(url: str, forgives: bool) -> LoadPlan:
        shot = (Shot(url=url),)
        return LoadPlan(shots=shot, rate=500, seconds=4 / 500, connections=1, forgives_idle_races=forgives)

    strict = _run(_close_second_request, lambda url: plan(url, False))
    assert [record.failure for record in strict.records] == [None, "idle-race", None, "idle-race"]
    assert len(strict.failures) == 2
    lenient = _run(_close_second_request, lambda url: plan(url, True))
    assert (lenient.sent, lenient.ok, lenient.failures, len(lenient.idle_races)) == (4, 2, (), 2)


def test_a_close_that_arrived_in_time_costs_nothing() -> None:
    accepted: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(1)
        await _read_request(reader)
        writer.write(OK.replace(b"content-length", b"connection: close\r\ncontent-length"))

    result = _run(handler, lambda url: _quick(url, count=4, connections=1))
    assert (result.ok, len(accepted)) == (4, 4)


def test_a_first_request_cut_off_is_no_idle_race() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _read_request(reader)

    assert {record.failure for record in _run(handler, _quick).records} == {"closed"}


def test_nonsense_is_a_protocol_failure() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _read_request(reader)
        writer.write(b"220 mail ready\r\n\r\n")

    assert {record.failure for record in _run(handler, _quick).records} == {"protocol"}


def test_answers_are_labelled_and_counted_from_a_time_on() -> None:
    def name(response: Response) -> str:
        return response.body.decode()

    result = _run(_answer_forever, _quick, classify=name)
    assert result.labels() == {"ok": 10}
    last = max(record.sent for record in result.records if record.sent is not None)
    assert result.labels(sent_after=last) == {"ok": 1}
    assert result.labels(sent_after=last + 1) == {}


def test_a_proxy_gets_absolute_form_and_a_direct_server_the_host_asked_for() -> None:
    heads: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await _read_request(reader)
            heads.append(head)
            writer.write(OK)

    def proxied(url: str) -> LoadPlan:
        shots = (Shot(url="http://reviews:9080/reviews/0"), Shot(url="http://ratings:9080"))
        return LoadPlan(shots=shots, rate=500, seconds=2 / 500, connections=1, proxy=url)

    def direct(url: str) -> LoadPlan:
        return LoadPlan(shots=(Shot(url=url, headers=(("Host", "x.example"),)),), rate=500, seconds=1 / 500)

    assert _run(handler, proxied).ok == 2
    assert _run(handler, direct).ok == 1
    assert heads[0].startswith("GET http://reviews:9080/reviews/0 HTTP/1.1\r\nhost: reviews:9080\r\n")
    assert heads[1].startswith("GET http://ratings:9080/ HTTP/1.1\r\nhost: ratings:9080\r\n")
    assert heads[2].startswith("GET / HTTP/1.1\r\nHost: x.example\r\n")


def test_stop_ends_the_schedule_and_keeps_the_results() -> None:
    async def run() -> LoadResult:
        stop = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await _read_request(reader)
                stop.set()
                writer.write(OK)

        async with _raw_server(handler) as url:
            plan = LoadPlan(shots=(Shot(url=url),), rate=1, seconds=3600)
            return await offer_load(plan, stop=stop)

    result = asyncio.run(run())
    assert 1 <= result.ok == result.sent < 3600


def test_who_ends_a_load_by_force_leaves_no_connection() -> None:
    """Also none that was made for the request that is under way."""

    async def run() -> None:
        opened, closed = asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _read_request(reader)
            opened.release()
            try:
                await reader.read()
            finally:
                closed.release()

        async with asyncio.timeout(60), _raw_server(handler) as url, asyncio.TaskGroup() as group:
            load = group.create_task(offer_load(_quick(url)))
            for _ in range(2):
                await opened.acquire()
            load.cancel()
            await asyncio.wait([load])
            for _ in range(2):
                await closed.acquire()

    asyncio.run(run())


def test_a_real_server_keeps_its_connections() -> None:
    peers: set[object] = set()

    async def hello(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text=request.method)

    async def run() -> LoadResult:
        app = web.Application()
        app.router.add_route("*", "/", hello)
        async with TestServer(app, host="127.0.0.1") as server:
            url = str(server.make_url("/"))
            shots = (Shot(url=url), Shot(url=url, method="POST", body=b"x"), Shot(url=url, method="HEAD"))
            plan = LoadPlan(shots=shots, rate=300, seconds=0.1, connections=2)
            return await offer_load(plan, classify=lambda response: response.body.decode())

    result = asyncio.run(run())
    assert result.failures == ()
    assert result.labels() == {"GET": 10, "POST": 10}
    assert len(peers) <= 2


@pytest.mark.parametrize(
    "plan",
    [
        LoadPlan(shots=()),
        LoadPlan(shots=(Shot(url="https://a/"),)),
        LoadPlan(shots=(Shot(url="http:///"),)),
        LoadPlan(shots=(Shot(url="http://a/"), Shot(url="http://b/"))),
        LoadPlan(shots=(Shot(url="http://a/"),), rate=0),
        LoadPlan(shots=(Shot(url="http://a/", headers=(("x", "a\r\nb: c"),)),)),
    ],
)
def test_a_plan_that_cannot_be_sent_is_refused(plan: LoadPlan) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the texts are for people
        asyncio.run(offer_load(plan))


def test_percentiles_are_nearest_rank() -> None:
    shot = Shot(url="http://a/")
    records = tuple(Record(shot=shot, intended=0, sent=0, ended=n) for n in range(1, 101))
    result = LoadResult(plan=LoadPlan(shots=(shot,)), records=records, started=0, started_at=0)
    assert [result.latency(p) for p in (0, 50, 99, 99.5, 100)] == [1, 50, 99, 100, 100]
