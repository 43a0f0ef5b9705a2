"""The adapter before a collector of Zipkin's protocol: what arrives, what is tried again, given up and counted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from immutables import Map

from proa.adapters.policy.zipkin.adapter import ZipkinAdapter
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.own_parameters import Zipkin
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Field, Instance
from proa.runtime.polling import poll

NAME = "spans.zipkin.default"
NOBODY = Zipkin(url="http://127.0.0.1:1/api/v2/spans", flush_interval=100)


def plan_of(parameters: Zipkin) -> HandlerPlan:
    return HandlerPlan(
        name=NAME, adapter="zipkin", parameters=parameters, instances=Map(), identity="", bounds=Bounds()
    )


def span(number: int, trace: str = "0af7651916cd43dd8448eb211c80319c") -> Instance:
    fields: dict[str, Field] = {"trace_id": trace, "span_id": f"{number:016x}", "http_status_code": 200}
    return Instance(name="a.tracespan.b", template="tracespan", fields=Map(fields))


def outcomes(adapter: ZipkinAdapter) -> dict[str, float]:
    found = {}
    for line in "".join(adapter.exposition()).splitlines():
        if line.startswith(f'proa_mixer_zipkin_spans_total{{handler="{NAME}",outcome="'):
            outcome, number = line.split('outcome="')[1].split('"} ')
            found[outcome] = float(number)
    return found


async def until(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return condition()

    async with asyncio.timeout(60):
        await poll(asked, 0.01, lambda: True)


class Collector:
    """Answers as it is told, one answer after the other, then 202. `ids` of the spans that it took."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[web.Request] = []
        self.ids: list[int] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        body = msgspec.json.decode(await request.read(), type=list[dict[str, object]])
        await self.may_answer.wait()
        status = self.answers.pop(0) if self.answers else 202
        if status == 202:
            self.ids += [int(str(each["id"]), 16) for each in body]
        return web.Response(status=status, text="as it was told")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/api/v2/spans", self.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/v2/spans"
        finally:
            await runner.cleanup()


def test_spans_are_posted_in_batches_with_an_operators_headers_and_the_last_at_the_end() -> None:
    async def body() -> tuple[ZipkinAdapter, Collector]:
        adapter, collector = ZipkinAdapter(), Collector()
        async with collector.serving() as url:
            plan = plan_of(Zipkin(url=url, flush_interval=600_000, batch_size=3, headers=Map({"x-key": "k"})))
            async with adapter.open(plan) as handler:
                await handler.report(tuple(span(number) for number in range(1, 6)))
                await until(lambda: outcomes(adapter).get("sent") == 5)
                await handler.report((span(6), span(7, trace="none")))
        return adapter, collector

    adapter, collector = asyncio.run(body())
    assert collector.ids == [1, 2, 3, 4, 5, 6]
    assert len(collector.asked) == 3
    assert {request.headers["x-key"] for request in collector.asked} == {"k"}
    assert {request.headers["content-type"] for request in collector.asked} == {"application/json"}
    assert outcomes(adapter) == {"sent": 6, "no_ids": 1}


def test_a_batch_is_tried_again_unless_it_is_itself_what_is_wrong() -> None:
    async def body() -> tuple[ZipkinAdapter, Collector]:
        adapter, collector = ZipkinAdapter(), Collector(503, 429, 202, 400)
        async with (
            collector.serving() as url,
            adapter.open(plan_of(Zipkin(url=url, flush_interval=100))) as handler,
        ):
            await handler.report((span(1),))
            await until(lambda: outcomes(adapter).get("sent") == 1)
            await handler.report((span(2),))
            await until(lambda: outcomes(adapter).get("given_up") == 1)
            await handler.report((span(3),))
            await until(lambda: outcomes(adapter).get("sent") == 2)
        return adapter, collector

    adapter, collector = asyncio.run(body())
    assert outcomes(adapter) == {"sent": 2, "given_up": 1}
    assert collector.ids == [1, 3]
    assert len(collector.asked) == 5


def test_while_nobody_answers_spans_wait_and_have_their_bound() -> None:
    async def body() -> tuple[ZipkinAdapter, Collector]:
        adapter, collector = ZipkinAdapter(most=10), Collector()
        collector.may_answer.clear()
        async with (
            collector.serving() as url,
            adapter.open(plan_of(Zipkin(url=url, flush_interval=100, batch_size=5))) as handler,
        ):
            await handler.report(tuple(span(number) for number in range(1, 6)))
            await until(lambda: bool(collector.asked))
            await handler.report(tuple(span(number) for number in range(6, 18)))
            collector.may_answer.set()
            await until(lambda: outcomes(adapter).get("sent") == 15)
        return adapter, collector

    adapter, collector = asyncio.run(body())
    assert collector.ids == list(range(1, 16))
    assert outcomes(adapter) == {"sent": 15, "no_room": 2}


def test_nobody_is_waited_for_longer_than_was_said() -> None:
    async def body() -> ZipkinAdapter:
        adapter = ZipkinAdapter()
        async with adapter.open(plan_of(msgspec.structs.replace(NOBODY, retry_for=100))) as handler:
            await handler.report((span(1), span(2)))
            await until(lambda: outcomes(adapter).get("given_up") == 2)
        return adapter

    assert outcomes(asyncio.run(body())) == {"given_up": 2}
