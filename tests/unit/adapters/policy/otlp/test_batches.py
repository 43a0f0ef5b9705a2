from immutables import Map
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proa.adapters.policy.otlp.batches import Waiting
from proa.core.config.mixer.own_parameters import Otlp
from proa.core.mixer.templates import Field, Instance
from tests.otlp_receivers import attributes


def entry(number: int) -> Instance:
    return Instance(name="log.logentry.default", template="logentry", fields=Map(variables=Map(n=number)))


def metric(number: int) -> Instance:
    fields: dict[str, Field] = {"value": 1, "dimensions": Map(n=number)}
    return Instance(name="count.metric.default", template="metric", fields=Map(fields))


def test_batches_are_requests_of_each_signal_and_no_larger() -> None:
    waiting = Waiting(Otlp(batch_size=2, resource=Map({"mesh": "eu"})), lambda: 7)
    for number in range(3):
        assert waiting.add(entry(number)) == ""
        assert waiting.add(metric(number)) == ""
    assert waiting.is_full
    batches = list(waiting.drain())
    assert [(batch.signal, batch.count) for batch in batches] == [
        ("logs", 2),
        ("logs", 1),
        ("metrics", 2),
        ("metrics", 1),
    ]
    (logs,) = ExportLogsServiceRequest.FromString(batches[0].body).resource_logs
    assert attributes(logs.resource.attributes) == {"mesh": "eu", "service.name": "proa-mixer"}
    (library,) = logs.instrumentation_library_logs
    assert library.instrumentation_library.name == "proa.mixer"
    assert [attributes(record.attributes)["n"] for record in library.logs] == [0, 1]
    (metrics,) = ExportMetricsServiceRequest.FromString(batches[2].body).resource_metrics
    (told,) = metrics.instrumentation_library_metrics[0].metrics
    assert len(told.sum.data_points) == 2
    assert (waiting.is_full, list(waiting.drain())) == (False, [])


def span(number: int, service: str) -> Instance:
    tags: Map[str, Field] = Map({"destination.workload.name": service})
    fields: dict[str, Field] = {"trace_id": f"{number:016x}", "span_id": f"{number:016x}", "span_tags": tags}
    return Instance(name="hop.tracespan.default", template="tracespan", fields=Map(fields))


def test_spans_are_told_by_service() -> None:
    waiting = Waiting(Otlp(batch_size=3, resource=Map({"mesh": "eu"})), lambda: 7, most_waiting=4)
    services = ("a", "b", "a", "", "c")
    told = [waiting.add(span(number + 1, service)) for number, service in enumerate(services)]
    assert told == ["", "", "", "", "too_many_waiting"]
    assert waiting.add(span(0, "a")) == "no_ids"
    assert waiting.is_full
    first, second = waiting.drain()
    assert (first.signal, first.count, second.count) == ("traces", 3, 1)
    found = {
        str(attributes(of.resource.attributes)["service.name"]): len(
            of.instrumentation_library_spans[0].spans
        )
        for batch in (first, second)
        for of in ExportTraceServiceRequest.FromString(batch.body).resource_spans
    }
    assert found == {"a": 2, "b": 1, "proa-mixer": 1}


def test_so_many_wait_and_no_more_while_batches_are_not_asked_for() -> None:
    waiting = Waiting(Otlp(batch_size=2), lambda: 7, most_waiting=3)
    assert [waiting.add(entry(number)) for number in range(4)] == ["", "", "", "too_many_waiting"]
    batches = waiting.drain()
    next(batches)
    assert [waiting.add(entry(number)) for number in range(3)] == ["", "", "too_many_waiting"]
    assert sum(batch.count for batch in batches) == 3


def test_metrics_that_were_not_sent_are_told_by_the_next_batch() -> None:
    waiting = Waiting(Otlp(), lambda: 7)
    for number in (0, 0, 1):
        waiting.add(metric(number))
    waiting.add(entry(0))
    logs, metrics = waiting.drain()
    assert (waiting.taken_back(logs), waiting.taken_back(metrics)) == (False, True)
    waiting.add(metric(1))
    (again,) = waiting.drain()
    assert again.count == 4
