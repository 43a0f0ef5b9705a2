"""A handler of listchecker with a real server on loopback. The lists themselves are tested in core."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from proa.adapters.policy.listchecker.adapter import ListCheckerAdapter
from proa.core.attributes.value_types import Value
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.ports.failures import HandlerPermanent, HandlerTemporary
from proa.testing.mixer_adapters import Example, opened

VERSION = {"value": 'source.labels["version"]'}


class Lists:
    """A server with one list, told by whoever tests. `asked` counts."""

    def __init__(self) -> None:
        self.text, self.status, self.url = "v1\nv2", 200, ""
        self.asked = asyncio.Semaphore(0)

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Lists"]:
        app = web.Application()
        app.router.add_get("/list", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/list"
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.release()
        return web.Response(text=self.text, status=self.status)


def asks(parameters: dict[str, object], version: str = "", value: str = VERSION["value"]) -> Example:
    attributes: dict[str, Value] = {"source.labels": {"version": version}, "source.ip": bytes((10, 57, 3, 4))}
    return Example(parameters=parameters, instances={"listentry": {"value": value}}, attributes=attributes)


async def answer(example: Example) -> CheckAnswer:
    async with opened(ListCheckerAdapter(), example) as (handler, instances):
        return await handler.check(instances["listentry"])


@pytest.mark.parametrize(
    ("version", "blacklist", "code", "message"),
    [
        ("v1", False, 0, ""),
        ("v3", False, 5, "v3 is not whitelisted"),
        ("v1", True, 7, "v1 is blacklisted"),
        ("v3", True, 0, ""),
    ],
)
def test_what_the_parameters_list(version: str, blacklist: bool, code: int, message: str) -> None:
    example = asks({"overrides": ["v1", "v2"], "blacklist": blacklist}, version)
    found = asyncio.run(answer(example))
    assert found == CheckAnswer(code=code, message=message, valid_ms=300_000, valid_uses=10_000)


@pytest.mark.parametrize(
    ("subnet", "value", "code"),
    [
        ("10.57.0.0/16", 'source.ip | ip("0.0.0.0")', 0),
        ("10.58.0.0/16", 'source.ip | ip("0.0.0.0")', 5),
        ("10.57.0.0/16", '"10.57.9.9"', 0),
        ("10.57.0.0/16", '"visitor"', 3),
    ],
)
def test_addresses_are_values_as_the_task_of_2018_has_them(subnet: str, value: str, code: int) -> None:
    example = asks({"overrides": [subnet], "entryType": "IP_ADDRESSES"}, value=value)
    assert asyncio.run(answer(example)).code == code


def test_a_list_is_fetched_and_what_the_parameters_list_is_part_of_it() -> None:
    async def body() -> list[int]:
        async with Lists().served() as lists:
            parameters: dict[str, object] = {"providerUrl": lists.url, "overrides": ["v9"]}
            return [(await answer(asks(parameters, version))).code for version in ("v1", "v9", "v3")]

    assert asyncio.run(body()) == [0, 0, 5]


def test_a_list_that_changes_is_followed() -> None:
    async def body() -> None:
        lists = Lists()
        async with asyncio.timeout(120), lists.served():
            example = asks({"providerUrl": lists.url, "refreshInterval": "1s", "cachingInterval": "1s"}, "v3")
            async with opened(ListCheckerAdapter(), example) as (handler, instances):
                assert (await handler.check(instances["listentry"])).code == 5
                lists.text = "v3"
                while (await handler.check(instances["listentry"])).code:
                    await lists.asked.acquire()
                assert (await handler.check(instances["listentry"])).valid_ms == 1000

    asyncio.run(body())


def test_without_its_server_it_knows_what_the_parameters_list_and_nothing_else() -> None:
    async def body() -> None:
        lists = Lists()
        lists.status = 503
        async with lists.served():
            parameters: dict[str, object] = {"providerUrl": lists.url, "overrides": ["v9"]}
            assert (await answer(asks(parameters, "v9"))).code == 0
            assert (await answer(asks({**parameters, "blacklist": True}, "v9"))).code == 7
            with pytest.raises(HandlerTemporary, match="the server answers 503"):
                await answer(asks(parameters, "v1"))

    asyncio.run(body())


def test_overrides_that_make_no_list_are_told() -> None:
    with pytest.raises(HandlerPermanent, match="1001 expressions are more than 1000"):
        asyncio.run(answer(asks({"overrides": [f"a{n}" for n in range(1001)], "entryType": "REGEX"}, "a")))
