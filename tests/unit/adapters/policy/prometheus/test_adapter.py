import asyncio
import shutil
import subprocess
import urllib.request
from collections.abc import Iterable

import pytest
from immutables import Map
from prometheus_client import CollectorRegistry

from proa.adapters.policy.prometheus.adapter import PrometheusAdapter, check_interval_of, expiry_of
from proa.adapters.policy.prometheus.stock import Stock
from proa.core.attributes.value_types import Span, Value
from proa.core.config.mixer.parameters import ExpirationPolicy
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import reports
from proa.core.mixer.plan.values import DispatchPlan
from proa.core.mixer.templates import Instance
from proa.servers.asgi import bind_tcp, serving
from proa.servers.metrics.app import build_metrics_app
from proa.testing.mixer import all_run, mixer_config, rule
from tests.prometheus_process import PrometheusProcess, why_no_prometheus

METRIC = mixer_config(
    "metric", "count", {"value": "response.size | 0", "dimensions": {"source-app": 'source.labels["app"]'}}
)
RULE = rule("r", "handler", "count")
BAG: dict[str, Value] = {
    "destination.namespace": "default",
    "source.labels": {"app": "shop"},
    "response.size": 5,
}


def plan_of(metric: dict[str, object], **more: object) -> DispatchPlan:
    metric = {"instanceName": "count.metric.default", "kind": "COUNTER", **metric}
    handler = mixer_config("prometheus", "handler", {"metrics": [metric], **more})
    return compile_plan([handler, METRIC, RULE], all_run()).plan


def instances(plan: DispatchPlan, bag: dict[str, Value]) -> tuple[Instance, ...]:
    return tuple(each.instance for each in reports(plan, bag).calls if each.instance is not None)


def lines(pieces: Iterable[str]) -> list[str]:
    return [line for piece in pieces for line in piece.splitlines() if not line.startswith("#")]


async def count(adapter: PrometheusAdapter, plan: DispatchPlan, bag: dict[str, Value] | None = None) -> None:
    async with adapter.open(plan.handlers["handler.prometheus.default"]) as handler:
        await handler.report(instances(plan, BAG if bag is None else bag))


def test_from_the_objects_to_the_page() -> None:
    """The label is written otherwise than the dimension; one that is none of its is empty, so left out."""
    adapter = PrometheusAdapter()
    plan = plan_of({"name": "bytes", "labelNames": ["source-app", "odd"]})
    asyncio.run(count(adapter, plan))
    assert lines(adapter.exposition()) == ['istio_bytes{sourceapp="shop"} 5']


def test_a_handler_that_takes_anothers_place_goes_on_with_what_is_defined_as_before() -> None:
    adapter = PrometheusAdapter()
    before = plan_of({"name": "bytes"})
    after = plan_of({"name": "bytes"}, metricsExpirationPolicy={"metricsExpiryDuration": "1h"})
    again = plan_of({"name": "bytes", "labelNames": ["source-app"]})

    async def body() -> None:
        async with adapter.open(before.handlers["handler.prometheus.default"]) as old:
            await old.report(instances(before, BAG))
            async with adapter.open(after.handlers["handler.prometheus.default"]) as new:
                await new.report(instances(after, BAG))
                await old.report(instances(before, BAG))
        assert lines(adapter.exposition()) == ["istio_bytes 15"]
        await count(adapter, again)

    asyncio.run(body())
    assert lines(adapter.exposition()) == ['istio_bytes{sourceapp="shop"} 5']


def test_what_is_not_counted_is_on_the_page() -> None:
    adapter = PrometheusAdapter(Stock(most_lines=1))
    plan = plan_of({"name": "bytes", "labelNames": ["source-app"]})
    stranger = Instance(name="other.metric.default", template="metric", fields=Map(value=1))

    async def body() -> None:
        async with adapter.open(plan.handlers["handler.prometheus.default"]) as handler:
            some = instances(plan, BAG)
            negative = instances(plan, {**BAG, "response.size": -1})
            another = instances(plan, {**BAG, "source.labels": {"app": "b"}})
            await handler.report((*some, stranger, *negative, *another, *some))

    asyncio.run(body())
    assert lines(adapter.exposition()) == [
        'istio_bytes{sourceapp="shop"} 10',
        'proa_mixer_prometheus_dropped_total{metric="other.metric.default",reason="metric"} 1',
        'proa_mixer_prometheus_dropped_total{metric="istio_bytes",reason="value"} 1',
        'proa_mixer_prometheus_dropped_total{metric="istio_bytes",reason="series"} 1',
    ]


def test_expired_series_make_room_without_a_scraper() -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    adapter = PrometheusAdapter(Stock(most_lines=1, clock=clock))
    policy = {"metricsExpiryDuration": "10s"}
    plan = plan_of({"name": "bytes", "labelNames": ["source-app"]}, metricsExpirationPolicy=policy)

    async def body() -> None:
        async with adapter.open(plan.handlers["handler.prometheus.default"]) as handler:
            for clock.now, app in ((0.0, "a"), (4.0, "b"), (11.0, "c")):
                await handler.report(instances(plan, {**BAG, "source.labels": {"app": app}}))

    asyncio.run(body())
    assert lines(adapter.exposition()) == [
        'istio_bytes{sourceapp="c"} 5',
        'proa_mixer_prometheus_dropped_total{metric="istio_bytes",reason="series"} 1',
    ]


def test_when_series_expire() -> None:
    assert expiry_of(None) is check_interval_of(None) is check_interval_of(ExpirationPolicy()) is None
    half = ExpirationPolicy(metrics_expiry_duration=60_000)
    assert (expiry_of(half), check_interval_of(half)) == (60, 30)
    said = ExpirationPolicy(metrics_expiry_duration=60_000, expiry_check_interval_duration=5000)
    assert check_interval_of(said) == 5


LABELS = {"app": 'source.labels["app"] | "unknown"'}
OBJECTS = (
    mixer_config("metric", "double", {"value": "2", "dimensions": LABELS}),
    mixer_config("metric", "time", {"value": "response.duration", "dimensions": LABELS}),
    mixer_config(
        "prometheus",
        "handler",
        {
            "metrics": [
                {
                    "name": "double_request_count",
                    "instance_name": "double.metric.default",
                    "kind": "COUNTER",
                    "label_names": ["app"],
                },
                {
                    "name": "duration_seconds",
                    "instance_name": "time.metric.default",
                    "kind": "DISTRIBUTION",
                    "label_names": ["app"],
                    "buckets": {"explicit_buckets": {"bounds": [0.1, 1]}},
                },
            ]
        },
    ),
    rule("r", "handler", "double", "time"),
)


def test_a_real_prometheus_reads_what_was_counted() -> None:
    if reason := why_no_prometheus():
        pytest.skip(reason)
    plan = compile_plan(OBJECTS, all_run()).plan
    adapter = PrometheusAdapter()
    (prometheus_plan,) = plan.handlers.values()

    async def body() -> None:
        bound = bind_tcp("127.0.0.1", 0)
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        app = build_metrics_app(CollectorRegistry(), tuple, adapter.exposition)
        async with serving(app, [bound]), adapter.open(prometheus_plan) as handler:

            async def report(app: str) -> None:
                bag: dict[str, Value] = {
                    "destination.namespace": "default",
                    "source.labels": {"app": app},
                    "response.duration": Span(200_000_000),
                }
                instances = tuple(each.instance for each in reports(plan, bag).calls if each.instance)
                assert len(instances) == 2
                await handler.report(instances)

            await report('a "b"\n\\')
            await report("shop")
            with await asyncio.to_thread(PrometheusProcess, {"mixer": f"{address}/mixer"}) as prometheus:
                wanted = {'app=a "b"\n\\': 2.0, "app=shop": 2.0}
                await asyncio.to_thread(prometheus.wait_for, "istio_double_request_count", wanted)
                await report("shop")
                wanted["app=shop"] = 4.0
                await asyncio.to_thread(prometheus.wait_for, "istio_double_request_count", wanted)
                buckets = {"app=shop,le=+Inf": 2.0, "app=shop,le=0.1": 0.0, "app=shop,le=1": 2.0}
                query = 'istio_duration_seconds_bucket{app="shop"}'
                await asyncio.to_thread(prometheus.wait_for, query, buckets)
            if shutil.which("promtool"):
                await asyncio.to_thread(judge, f"http://{address}/mixer")

    asyncio.run(body())


def judge(url: str) -> None:
    """Promtool ends with 3 where it would have named a metric otherwise, with 1 when it cannot read the page."""
    with urllib.request.urlopen(url, timeout=60) as reply:
        assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        page = reply.read()
    judged = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60, check=False
    )
    assert judged.returncode in (0, 3), judged.stderr
    assert b"error" not in judged.stderr
