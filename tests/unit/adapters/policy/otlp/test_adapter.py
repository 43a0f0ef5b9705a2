import asyncio
from collections.abc import Callable, Iterator

import grpc
import msgspec
import pytest
from immutables import Map

from proa.adapters.policy.otlp.adapter import OtlpAdapter
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.own_parameters import Otlp
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Field, Instance
from proa.runtime.polling import poll
from tests.otlp_receivers import OtlpReceiver, attributes

LOCAL = Otlp(endpoint="http://127.0.0.1:1", flush_interval=100)
PROTOCOLS = ["GRPC", "HTTP"]


def plan_of(parameters: Otlp) -> HandlerPlan:
    return HandlerPlan(
        name="h.otlp.default",
        adapter="otlp",
        parameters=parameters,
        instances=Map(),
        identity="",
        bounds=Bounds(),
    )


def at(receiver: OtlpReceiver, protocol: str, **more: object) -> HandlerPlan:
    endpoint = receiver.grpc if protocol == "GRPC" else f"{receiver.http}/"
    return plan_of(msgspec.structs.replace(LOCAL, endpoint=endpoint, protocol=protocol, **more))


def entry(number: int) -> Instance:
    return Instance(name="log.logentry.default", template="logentry", fields=Map(variables=Map(n=number)))


def metric(value: int) -> Instance:
    fields: dict[str, Field] = {"value": value, "dimensions": Map(app="shop")}
    return Instance(name="count.metric.default", template="metric", fields=Map(fields))


SPAN = Instance(
    name="hop.tracespan.default",
    template="tracespan",
    fields=Map(
        trace_id="463ac35c9f6413ad",
        span_id="463ac35c9f6413ae",
        span_name="/reviews",
        span_tags=Map({"destination.workload.name": "reviews"}),
    ),
)


def outcomes(adapter: OtlpAdapter) -> dict[str, float]:
    found = {}
    for line in "".join(adapter.exposition()).splitlines():
        if line.startswith('proa_mixer_otlp_instances_total{handler="h.otlp.default",outcome="'):
            name, number = line.split('outcome="')[1].split('"} ')
            found[name] = float(number)
    return found


async def until(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return condition()

    async with asyncio.timeout(60):
        await poll(asked, 0.01, lambda: True)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as found:
        yield found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_receiver_is_told_everything_once(receiver: OtlpReceiver, protocol: str) -> None:
    async def body() -> OtlpAdapter:
        adapter = OtlpAdapter()
        plan = at(receiver, protocol, headers=Map({"x-tenant": "shop"}), batch_size=3)
        async with adapter.open(plan) as handler:
            await handler.report((metric(2), *(entry(number) for number in range(5))))
            await until(lambda: outcomes(adapter).get("written") == 6)
            await handler.report((metric(3), entry(5), SPAN))  # told at the end
        return adapter

    assert outcomes(asyncio.run(body())) == {"written": 9}
    ((service, span),) = receiver.spans()
    assert (service, span.name) == ("reviews", "/reviews")
    assert [attributes(record.attributes)["n"] for record in receiver.records()] == list(range(6))
    (point,) = receiver.told_metrics()["count"].sum.data_points
    assert (point.as_double, attributes(point.attributes)) == (5, {"app": "shop"})
    assert {headers.get("x-tenant") for headers in receiver.headers} == {"shop"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_passes_is_tried_again(receiver: OtlpReceiver, protocol: str) -> None:
    receiver.refusals += [grpc.StatusCode.UNAVAILABLE] * 2

    async def body() -> OtlpAdapter:
        adapter = OtlpAdapter()
        async with adapter.open(at(receiver, protocol)) as handler:
            await handler.report((entry(1), metric(1)))
            await until(lambda: outcomes(adapter).get("written") == 2)
        return adapter

    assert outcomes(asyncio.run(body())) == {"written": 2}
    assert len(receiver.records()) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_does_not_pass_is_given_up_but_totals(receiver: OtlpReceiver, protocol: str) -> None:
    receiver.refusals += [grpc.StatusCode.INVALID_ARGUMENT] * 2

    async def body() -> OtlpAdapter:
        adapter = OtlpAdapter()
        async with adapter.open(at(receiver, protocol)) as handler:
            await handler.report((entry(1), metric(1)))
            await until(lambda: outcomes(adapter) == {"given_up": 1, "written": 1})
        return adapter

    asyncio.run(body())
    assert receiver.records() == []
    assert receiver.told_metrics()["count"].sum.data_points[0].as_double == 1


def test_what_a_receiver_refuses_of_a_batch_is_counted(receiver: OtlpReceiver) -> None:
    receiver.answer = b"\x0a\x07\x08\x02\x12\x03old"  # two of them

    async def body() -> OtlpAdapter:
        adapter = OtlpAdapter()
        async with adapter.open(at(receiver, "GRPC")) as handler:
            await handler.report(tuple(entry(number) for number in range(5)))
        return adapter

    assert outcomes(asyncio.run(body())) == {"written": 3, "refused": 2}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_is_there_at_the_end(protocol: str) -> None:
    async def body() -> OtlpAdapter:
        adapter = OtlpAdapter(most_waiting=2)
        async with adapter.open(plan_of(msgspec.structs.replace(LOCAL, protocol=protocol))) as handler:
            await handler.report((entry(1), entry(2), entry(3), metric(1), metric(-1), metric(1)))
        return adapter

    assert outcomes(asyncio.run(body())) == {"given_up": 4, "too_many_waiting": 1, "no_number": 1}
