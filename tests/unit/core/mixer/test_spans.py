"""What an instance of tracespan is to those who send spans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.value_types import Timestamp
from proa.core.mixer.spans import TraceSpan, is_chosen, span_of
from proa.core.mixer.templates import Field, Instance

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"


def found(**fields: Field) -> TraceSpan | None:
    ids: dict[str, Field] = {"trace_id": TRACE, "span_id": SPAN}
    return span_of(Instance(name="a.tracespan.b", template="tracespan", fields=Map({**ids, **fields})))


def test_all_that_is_said() -> None:
    said = found(
        parent_span_id=PARENT.upper(),
        span_name="/a",
        client_span=True,
        start_time=Timestamp(5),
        end_time=Timestamp(7),
        http_status_code=503,
        span_tags=Map({"size": 3, "who": "a"}),
        rewrite_client_span_id=True,
    )
    assert said == TraceSpan(
        trace_id=TRACE,
        span_id=SPAN,
        parent_id=PARENT,
        name="/a",
        is_client=True,
        begun=5,
        ended=7,
        status=503,
        tags=Map({"size": "3", "who": "a"}),
    )
    assert said.has_failed
    assert found() == TraceSpan(trace_id=TRACE, span_id=SPAN)


@pytest.mark.parametrize(
    "fields",
    [
        {"trace_id": ""},
        {"trace_id": "0" * 32},
        {"trace_id": TRACE[1:]},
        {"span_id": "x"},
        {"span_id": "0" * 16},
    ],
)
def test_what_has_no_ids_is_no_span(fields: dict[str, Field]) -> None:
    assert found(**fields) is None


@pytest.mark.parametrize("parent", ["", "-", SPAN, "0" * 16])
def test_a_parent_that_is_none(parent: str) -> None:
    said = found(parent_span_id=parent)
    assert said is not None
    assert said.parent_id == ""


@given(st.integers(1, (1 << 128) - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_share_is_part_of_a_greater_one(number: int, one: float, other: float) -> None:
    trace = f"{number:032x}"
    assert is_chosen(trace, 1)
    assert not is_chosen(trace, 0)
    if is_chosen(trace, min(one, other)):
        assert is_chosen(trace, max(one, other))
        assert is_chosen(trace[16:], max(one, other)), "an id of 64 bits is the end of one of 128"


def test_a_share_is_a_share() -> None:
    # Every seventh id of the whole range.
    ids = [f"{number * ((1 << 64) // 7001):016x}" for number in range(7001)]
    assert sum(is_chosen(each, 0.25) for each in ids) in (1750, 1751)
