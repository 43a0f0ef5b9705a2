"""How a fetched list lives: taken whole, kept while its server is away, gone when it is too old."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from proa.adapters.policy.listchecker import fetched
from proa.adapters.policy.listchecker.fetched import MAX_BYTES, FetchedList, fetch_list
from proa.core.config.mixer.parameters import ListChecker
from proa.core.mixer.lists import BadList

PARAMETERS = ListChecker(provider_url="http://user:secret@lists.example:81/all?token=1", ttl=300_000)


class Server:
    """Answers what it is told to, or fails with it."""

    def __init__(self) -> None:
        self.answer: str | Exception = "v1\nv2"
        self.now = 1000.0

    async def fetch(self) -> str:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def list(self, parameters: ListChecker = PARAMETERS) -> FetchedList:
        return FetchedList("allowed", parameters, self.fetch, clock=lambda: self.now)


def test_the_last_good_list_is_used_until_it_is_too_old() -> None:
    async def body() -> None:
        server = Server()
        found = server.list()
        assert found.entries is None
        assert found.fault == "there is no list from http://lists.example:81/all: it has not been fetched yet"
        assert await found.refresh()
        first = found.entries
        assert first is not None
        assert first.has("v2")
        server.now += 200
        server.answer = BadList("the server answers 503")
        assert not await found.refresh()
        assert found.entries is first
        server.now += 100
        assert found.entries is first
        server.now += 1
        assert found.entries is None
        assert found.fault.endswith("the server answers 503")
        server.answer = "v1\nv2"
        assert await found.refresh()
        assert found.entries is not None

    asyncio.run(body())


def test_what_is_the_same_is_not_read_again_and_holds_on() -> None:
    async def body() -> None:
        server = Server()
        found = server.list()
        await found.refresh()
        first = found.entries
        server.now += 299
        await found.refresh()
        server.now += 299
        assert found.entries is first
        server.answer = "v3"
        await found.refresh()
        assert found.entries is not None
        assert found.entries.has("v3")
        assert not found.entries.has("v1")

    asyncio.run(body())


def test_half_a_list_leaves_the_one_before() -> None:
    async def body() -> None:
        server = Server()
        server.answer = "10.0.0.0/8"
        found = server.list(ListChecker(provider_url="http://a/", entry_type="IP_ADDRESSES"))
        await found.refresh()
        server.answer = "10.0.0.0/8\nnonsense"
        assert not await found.refresh()
        assert found.entries is not None
        assert found.entries.has("10.1.1.1")
        assert found.fault.endswith('"nonsense" is no IP address and no CIDR block')

    asyncio.run(body())


def test_each_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        server = Server()
        found = server.list()
        server.answer = OSError("no route")
        for _ in range(3):
            assert not await found.refresh()
        server.answer = "v1"
        assert await found.refresh()
        server.answer = TimeoutError()
        assert not await found.refresh()

    with caplog.at_level(logging.INFO, logger="proa.adapters.listchecker"):
        asyncio.run(body())
    assert [each.getMessage() for each in caplog.records] == [
        "allowed cannot fetch http://lists.example:81/all: no route",
        "allowed has its list again",
        "allowed cannot fetch http://lists.example:81/all: no answer within 10 s",
    ]


def test_it_is_fetched_again_and_again() -> None:
    """Also after a failure, which is waited for less than the interval."""

    async def body() -> None:
        asked = asyncio.Semaphore(0)
        answers = iter(("v1", BadList("away"), "v2"))

        async def fetch() -> str:
            asked.release()
            answer = next(answers, None)
            if answer is None:
                await asyncio.Event().wait()
            if isinstance(answer, BadList):
                raise answer
            return str(answer)

        found = FetchedList("a", ListChecker(provider_url="http://a/", refresh_interval=10), fetch)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            task = group.create_task(found.follow())
            for _ in range(4):
                await asked.acquire()
            task.cancel()
        assert found.entries is not None
        assert found.entries.has("v2")

    asyncio.run(body())


def test_a_handler_does_not_wait_for_ever() -> None:
    async def body() -> None:
        found = Server().list()
        await found.tried(at_most_s=0.01)
        assert found.entries is None

    asyncio.run(body())


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def fetched_from(answer: Answer) -> str:
    async def ask() -> str:
        app = web.Application()
        app.router.add_get("/{tail:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession() as http:
                return await fetch_list(http, f"http://127.0.0.1:{port}/list")
        finally:
            await runner.cleanup()

    return asyncio.run(ask())


def test_a_server_of_lists() -> None:
    async def plain(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\xef\xbb\xbfv1\nv2\n")

    async def away(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/other")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MAX_BYTES // 65536 + 2):
            await response.write(b"a" * 65536)
        return response

    async def binary(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\xff\xfe")

    assert fetched_from(plain) == "v1\nv2\n"
    for answer, why in (
        (away, "answers 404"),
        (elsewhere, "answers 302"),
        (endless, f"longer than {MAX_BYTES} bytes"),
        (binary, "no UTF-8 text"),
    ):
        with pytest.raises(BadList, match=why):
            fetched_from(answer)


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetched, "PATIENCE_S", 0.01)

    async def body() -> None:
        async def fetch() -> str:
            await asyncio.Event().wait()
            return ""

        found = FetchedList("a", PARAMETERS, fetch)
        assert not await found.refresh()
        assert "no answer within 0.01 s" in found.fault

    asyncio.run(body())
