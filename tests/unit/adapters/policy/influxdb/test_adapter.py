import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web
from immutables import Map

from proa.adapters.policy.influxdb.adapter import InfluxdbAdapter
from proa.core.attributes.value_types import Value
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.own_parameters import Influxdb
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Field, Instance
from proa.runtime.polling import poll
from tests.influxdb_process import USER, InfluxdbProcess, why_no_influxdb

LOCAL = Influxdb(url="http://127.0.0.1:1", database="mesh", flush_interval=100)


def plan_of(parameters: Influxdb) -> HandlerPlan:
    return HandlerPlan(
        name="h.influxdb.default",
        adapter="influxdb",
        parameters=parameters,
        instances=Map(),
        identity="",
        bounds=Bounds(),
    )


def plan_at(url: str) -> HandlerPlan:
    return plan_of(msgspec.structs.replace(LOCAL, url=url))


def metric(value: Value, **dimensions: Field) -> Instance:
    fields: dict[str, Field] = {"value": value, "dimensions": Map(dimensions)}
    return Instance(name="requests.metric.default", template="metric", fields=Map(fields))


def outcomes(adapter: InfluxdbAdapter) -> dict[str, float]:
    found = {}
    for line in "".join(adapter.exposition()).splitlines():
        if line.startswith('proa_mixer_influxdb_values_total{handler="h.influxdb.default",outcome="'):
            name, number = line.split('outcome="')[1].split('"} ')
            found[name] = float(number)
    return found


async def until(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return condition()

    async with asyncio.timeout(60):
        await poll(asked, 0.01, lambda: True)


class Server:
    """Answers as it is told, one answer after the other, then 204."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[web.Request] = []
        self.bodies: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        self.bodies.append(await request.text())
        return web.Response(status=self.answers.pop(0) if self.answers else 204, text="as it was told")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@pytest.fixture(scope="module")
def influxdb() -> Iterator[InfluxdbProcess]:
    if reason := why_no_influxdb():
        pytest.skip(reason)
    with InfluxdbProcess("mesh") as process:
        yield process


def at(influxdb: InfluxdbProcess) -> Influxdb:
    user, password = USER
    return msgspec.structs.replace(LOCAL, url=influxdb.url, user=user, password=password)


def test_a_real_influxdb_has_every_value_once_whatever_is_in_its_tags(influxdb: InfluxdbProcess) -> None:
    hard = ["shop", "a b", "a,b=c", 'say "hi"', "back\\slash", "ends\\", "two\nlines", "é😀", "\\,= "]

    async def body() -> InfluxdbAdapter:
        adapter = InfluxdbAdapter()
        async with adapter.open(plan_of(at(influxdb))) as handler:
            for _ in range(5):
                await handler.report(tuple(metric(2, app=text, code=200) for text in hard))
            await until(lambda: outcomes(adapter).get("written") == 5 * len(hard))
            await handler.report((metric(2, app="shop", code=200),))  # sent at the end
        return adapter

    adapter = asyncio.run(body())
    assert outcomes(adapter) == {"written": 5 * len(hard) + 1}
    query = (
        "SELECT sum(value) AS value, sum(count) AS count, max(max) AS max FROM requests GROUP BY app, code"
    )
    rows = {
        row["app"]: (row["value"], row["count"], row["max"], row["code"]) for row in influxdb.query(query)
    }
    said = {"ends\\": "ends\\ ", "two\nlines": "two lines"}
    wanted = {said.get(text, text): (10, 5, 2, "200") for text in hard}
    assert rows == {**wanted, "shop": (12, 6, 2, "200")}


def test_while_a_real_influxdb_is_away_values_add_up(influxdb: InfluxdbProcess) -> None:
    async def body() -> InfluxdbAdapter:
        adapter = InfluxdbAdapter()
        async with adapter.open(plan_of(at(influxdb))) as handler:
            influxdb.kill()
            for _ in range(50):
                await handler.report((metric(1, outage="yes"),))
                await asyncio.sleep(0.005)
            await asyncio.to_thread(influxdb.start)
            await until(lambda: outcomes(adapter).get("written") == 50)
        return adapter

    assert outcomes(asyncio.run(body())) == {"written": 50}
    (row,) = influxdb.query(
        "SELECT sum(value) AS value, sum(count) AS count FROM requests WHERE outage = 'yes'"
    )
    assert (row["value"], row["count"]) == (50, 50)


def test_a_real_influxdb_refuses_what_it_will_never_take(influxdb: InfluxdbProcess) -> None:
    """Who has no right, or names no database that is there, is tried again; a field of another type is not."""

    async def body(parameters: Influxdb) -> dict[str, float]:
        adapter = InfluxdbAdapter()
        async with adapter.open(plan_of(msgspec.structs.replace(parameters, retry_for=100))) as handler:
            await handler.report((metric(1, app="shop"),))
            await until(lambda: bool(outcomes(adapter)))
        return outcomes(adapter)

    right = at(influxdb)
    assert asyncio.run(body(msgspec.structs.replace(right, password="wrong"))) == {"given_up": 1}
    assert asyncio.run(body(msgspec.structs.replace(right, database="nowhere"))) == {"given_up": 1}
    assert asyncio.run(body(right)) == {"written": 1}


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_may_come_to_be_taken_is_tried_again_as_it_was(status: int) -> None:
    server = Server(status, status)

    async def body() -> InfluxdbAdapter:
        adapter = InfluxdbAdapter()
        async with server.serving() as url, adapter.open(plan_at(url)) as handler:
            await handler.report((metric(1, app="shop"),))
            await until(lambda: len(server.bodies) == 3)
        return adapter

    assert outcomes(asyncio.run(body())) == {"written": 1}
    assert len(set(server.bodies)) == 1


@pytest.mark.parametrize("status", [400, 413])
def test_what_will_never_be_taken_is_given_up_and_counted(status: int) -> None:
    server = Server(status)

    async def body() -> InfluxdbAdapter:
        adapter = InfluxdbAdapter(most_series=1)
        async with server.serving() as url, adapter.open(plan_at(url)) as handler:
            await handler.report((metric(1, app="a"), metric(1, app="b"), metric("x", app="a")))
            await until(lambda: "given_up" in outcomes(adapter))
            await handler.report((metric(1, app="a"), metric(2, app="a")))
        return adapter

    assert outcomes(asyncio.run(body())) == {
        "given_up": 1,
        "too_many_series": 1,
        "no_number": 1,
        "written": 2,
    }


def test_nobody_is_there_at_the_end() -> None:
    async def body() -> InfluxdbAdapter:
        adapter = InfluxdbAdapter()
        async with adapter.open(plan_of(LOCAL)) as handler:
            await handler.report((metric(1), metric(1)))
        return adapter

    assert outcomes(asyncio.run(body())) == {"given_up": 2}


@pytest.mark.parametrize(
    ("parameters", "path", "query", "credentials"),
    [
        (
            Influxdb(database="mesh", precision="us", retention_policy="week", user="a", password="ü"),
            "/write",
            {"db": "mesh", "precision": "u", "rp": "week"},
            "Basic YTrDvA==",
        ),
        (Influxdb(database="mesh", precision="ms"), "/write", {"db": "mesh", "precision": "ms"}, None),
        (
            Influxdb(bucket="mesh", org="my shop", token="secret", precision="us"),
            "/api/v2/write",
            {"bucket": "mesh", "org": "my shop", "precision": "us"},
            "Token secret",
        ),
    ],
)
def test_both_generations_are_spoken(
    parameters: Influxdb, path: str, query: dict[str, str], credentials: str | None
) -> None:
    server = Server()

    async def body() -> None:
        async with server.serving() as url:
            spoken = msgspec.structs.replace(parameters, url=f"{url}/")
            async with InfluxdbAdapter().open(plan_of(spoken)) as handler:
                await handler.report((metric(1),))

    asyncio.run(body())
    (asked,) = server.asked
    assert (asked.path, dict(asked.query)) == (path, query)
    assert asked.headers.get("authorization") == credentials
