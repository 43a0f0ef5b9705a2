"""The telemetry that came with Mixer, as the docs have it: its objects make the metrics of 2018, under their
names and labels."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from proa.adapters.policy.prometheus.adapter import PrometheusAdapter
from proa.core.attributes.value_types import Span, Timestamp, Value
from proa.core.config import Config
from proa.core.config.config import examine
from proa.core.config.document import parse
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import reports
from proa.testing.mixer import all_run
from tests.docs.test_examples import ROOT, examples_in

SHIPPED = "docs/adapters/default-telemetry.md"


def shipped() -> list[Config]:
    """The objects of the page."""
    page = (ROOT / SHIPPED).read_text()
    found = []
    for example in examples_in(page, SHIPPED):
        for document in parse(example.text, SHIPPED).documents:
            config = examine(document, only_in_force=False, catalogue=all_run()).config
            assert config is not None
            found.append(config)
    return found


ENDS = {
    f"{end}_{name}"
    for end in ("source", "destination")
    for name in ("app", "principal", "workload", "workload_namespace", "version")
}
TCP = ENDS | {
    "reporter",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "connection_security_policy",
}
HTTP = TCP | {"request_protocol", "response_code"}
REQUEST: dict[str, Value] = {
    "context.protocol": "http",
    "context.reporter.kind": "inbound",
    "connection.mtls": True,
    "source.labels": {"app": "productpage", "version": "v1"},
    "source.workload.name": "productpage-v1",
    "source.workload.namespace": "default",
    "source.principal": "cluster.local/ns/default/sa/productpage",
    "destination.namespace": "default",
    "destination.labels": {"app": "reviews", "version": "v3"},
    "destination.workload.name": "reviews-v3",
    "destination.workload.namespace": "default",
    "destination.principal": "cluster.local/ns/default/sa/reviews",
    "destination.service.host": "reviews.default.svc.cluster.local",
    "destination.service.name": "reviews",
    "destination.service.namespace": "default",
    "request.time": Timestamp(0),
    "request.headers": {},
    "request.size": 0,
    "response.time": Timestamp(0),
    "response.code": 503,
    "response.size": 1000,
    "response.duration": Span(30_000_000),
}
CONNECTION: dict[str, Value] = {
    name: value for name, value in REQUEST.items() if not name.startswith(("request.", "response."))
} | {"context.protocol": "tcp", "connection.sent.bytes": 100, "connection.received.bytes": 7}


def test_the_telemetry_of_2018_is_on_the_page_under_its_names_and_labels() -> None:
    compiled = compile_plan(shipped(), all_run())
    assert not compiled.messages
    plan = compiled.plan
    adapter = PrometheusAdapter()

    async def body() -> None:
        async with adapter.open(plan.handlers["handler.prometheus.istio-system"]) as handler:
            for bag in (REQUEST, REQUEST, CONNECTION):
                calls = reports(plan, bag).calls
                assert not [each.failure for each in calls if each.failure]
                some = [
                    each.instance
                    for each in calls
                    if each.call.action.handler.startswith("handler.prometheus")
                ]
                await handler.report(tuple(each for each in some if each is not None))

    asyncio.run(body())
    samples = {}
    for metric in text_string_to_metric_families("".join(adapter.exposition())):
        for sample in metric.samples:
            bound = sample.labels.pop("le", "")
            samples[sample.name, bound] = (frozenset(sample.labels), sample.value)
    http, tcp = frozenset(HTTP), frozenset(TCP)
    assert samples["istio_requests_total", ""] == (http, 2)
    assert samples["istio_request_duration_seconds_sum", ""] == (http, 0.06)
    assert samples["istio_request_duration_seconds_bucket", "0.05"] == (http, 2)
    assert samples["istio_request_duration_seconds_bucket", "0.025"] == (http, 0)
    assert samples["istio_response_bytes_bucket", "100"] == (http, 0)
    assert samples["istio_response_bytes_bucket", "1000"] == (http, 2)
    assert samples["istio_request_bytes_bucket", "1"] == (http, 2)
    assert samples["istio_tcp_sent_bytes_total", ""] == (tcp, 100)
    assert samples["istio_tcp_received_bytes_total", ""] == (tcp, 7)
    bounds = [le for name, le in samples if name == "istio_response_bytes_bucket"]
    assert bounds == [*(str(10**power) for power in range(9)), "+Inf"]
