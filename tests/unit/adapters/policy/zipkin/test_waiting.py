"""Spans as Zipkin reads them."""

import json

from immutables import Map

from proa.adapters.policy.zipkin.waiting import Waiting
from proa.core.attributes.value_types import Timestamp
from proa.core.config.mixer.own_parameters import Zipkin
from proa.core.mixer.templates import Field, Instance

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
ENDS: Map[str, Field] = Map(
    {"source.workload.name": "page", "destination.workload.name": "reviews", "size": 3}
)
AT = 1_537_044_396_009_801_999


def instance(**fields: Field) -> Instance:
    said: dict[str, Field] = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": PARENT,
        "span_name": "/reviews/0",
        "start_time": Timestamp(AT),
        "end_time": Timestamp(AT + 13_000_999),
        "http_status_code": 200,
        "client_span": False,
        "span_tags": ENDS,
    }
    return Instance(name="span.tracespan.a", template="tracespan", fields=Map({**said, **fields}))


def written(parameters: Zipkin, *instances: Instance) -> list[dict[str, object]]:
    waiting = Waiting(parameters)
    for each in instances:
        assert waiting.add(each) == ""
    return [span for batch in waiting.drain() for span in json.loads(batch.body)]


def test_a_servers_span() -> None:
    (span,) = written(Zipkin(), instance())
    assert span == {
        "traceId": TRACE,
        "id": SPAN,
        "parentId": PARENT,
        "name": "/reviews/0",
        "kind": "SERVER",
        "timestamp": AT // 1000,
        "duration": 13_000,
        "localEndpoint": {"serviceName": "reviews"},
        "remoteEndpoint": {"serviceName": "page"},
        "tags": {
            "source.workload.name": "page",
            "destination.workload.name": "reviews",
            "size": "3",
            "http.status_code": "200",
        },
    }


def test_a_clients_span_that_failed_and_took_no_time() -> None:
    tags: Map[str, Field] = Map({"from": "page", "to": "reviews"})
    parameters = Zipkin(client_service_tag="from", server_service_tag="to")
    first, second = written(
        parameters,
        instance(
            client_span=True,
            http_status_code=503,
            parent_span_id="",
            end_time=Timestamp(AT),
            span_tags=tags,
        ),
        instance(http_status_code=0, end_time=Timestamp(1)),
    )
    assert (first["kind"], first["duration"], first["localEndpoint"]) == (
        "CLIENT",
        1,
        {"serviceName": "page"},
    )
    assert first["tags"] == {"from": "page", "to": "reviews", "http.status_code": "503", "error": "503"}
    assert "parentId" not in first
    assert "duration" not in second
    assert isinstance(second["tags"], dict)
    assert second["tags"]["error"] == "no answer"


def test_what_is_left_out() -> None:
    assert Waiting(Zipkin()).add(instance(trace_id="")) == "no_ids"
    assert Waiting(Zipkin(sample_probability=0.0)).add(instance()) == "not_chosen"
    full = Waiting(Zipkin(), most=1)
    assert [full.add(instance()), full.add(instance())] == ["", "no_room"]


def test_what_is_not_asked_for_yet_stays_and_has_its_bound() -> None:
    waiting = Waiting(Zipkin(batch_size=2), most=5)
    assert [waiting.add(instance()) for _ in range(6)] == [*[""] * 5, "no_room"]
    batches = waiting.drain()
    assert next(batches).spans == 2
    assert waiting.is_a_batch
    assert [waiting.add(instance()) for _ in range(3)] == ["", "", "no_room"]
    assert [batch.spans for batch in batches] == [2, 2, 1]
    assert not waiting.is_a_batch
