import pytest
from immutables import Map
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from proa.adapters.policy.otlp.spans import Told
from proa.core.attributes.value_types import Timestamp
from proa.core.config.mixer.own_parameters import Otlp
from proa.core.mixer.templates import Field, Instance
from tests.otlp_receivers import attributes

FIELDS: dict[str, Field] = {
    "trace_id": "463ac35c9f6413ad48485a3953bb6124",
    "span_id": "a2fb4a1d1a96d312",
    "parent_span_id": "0020000000000001",
    "span_name": "/reviews/0",
    "start_time": Timestamp(1000),
    "end_time": Timestamp(4000),
    "http_status_code": 200,
    "client_span": False,
    "span_tags": Map(
        {"source.workload.name": "productpage", "destination.workload.name": "reviews", "x": "1"}
    ),
}


def told(parameters: Otlp | None = None, **more: Field) -> tuple[str, Span] | str:
    fields = Map({**FIELDS, **more})
    return Told(parameters or Otlp()).of(Instance(name="a", template="tracespan", fields=fields))


def span(**more: Field) -> Span:
    found = told(None, **more)
    assert not isinstance(found, str)
    return found[1]


def test_a_span_is_its_servers() -> None:
    found = told()
    assert not isinstance(found, str)
    service, made = found
    assert (service, made.name, made.kind) == ("reviews", "/reviews/0", Span.SpanKind.SPAN_KIND_SERVER)
    assert made.trace_id.hex() == "463ac35c9f6413ad48485a3953bb6124"
    assert (made.span_id.hex(), made.parent_span_id.hex()) == ("a2fb4a1d1a96d312", "0020000000000001")
    assert (made.start_time_unix_nano, made.end_time_unix_nano) == (1000, 4000)
    assert attributes(made.attributes)["http.response.status_code"] == 200
    assert attributes(made.attributes)["x"] == "1"
    assert not made.HasField("status")


def test_or_its_clients_and_tags_say_whose() -> None:
    client = told(None, client_span=True)
    assert (client[0], span(client_span=True).kind) == ("productpage", Span.SpanKind.SPAN_KIND_CLIENT)
    assert told(Otlp(server_service_tag="x"))[0] == "1"
    assert told(Otlp(client_service_tag="odd"), client_span=True)[0] == ""


@pytest.mark.parametrize(
    ("status", "is_client", "failed"),
    [(200, False, False), (404, False, False), (404, True, True), (503, False, True), (0, True, True)],
)
def test_what_has_failed(status: int, is_client: bool, failed: bool) -> None:
    made = span(http_status_code=status, client_span=is_client)
    assert (made.status.code == 2) is failed
    assert ("http.response.status_code" in attributes(made.attributes)) is bool(status)


def test_short_traces_and_spans_that_begin_one() -> None:
    made = span(trace_id="463ac35c9f6413ad", parent_span_id="", end_time=Timestamp(0))
    assert made.trace_id.hex() == "0000000000000000463ac35c9f6413ad"
    assert made.parent_span_id == b""
    assert made.end_time_unix_nano == 1000


def test_what_is_not_sent() -> None:
    assert told(None, span_id="none") == "no_ids"
    assert told(Otlp(sample_probability=0.0)) == "not_chosen"
