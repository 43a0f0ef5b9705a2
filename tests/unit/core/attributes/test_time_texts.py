import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.attributes.time_texts import parse_span, parse_timestamp, span_text, timestamp_text
from proa.core.attributes.value_types import INT64_MAX, Span, Timestamp


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("19ms", 19_000_000),
        ("1h2m3.5s", 3_723_500_000_000),
        ("-1.5h", -5_400_000_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("1µs1us", 2000),
        ("0.9ns", 0),
        ("9223372036854775807ns", INT64_MAX),
    ],
)
def test_spans(text: str, nanoseconds: int) -> None:
    assert parse_span(text) == Span(nanoseconds)


@pytest.mark.parametrize(
    "text", ["", "1", "s", ".s", "1 s", "1d", "1..s", "+", "9223372036854775808ns", "1e3s", "1s" * 200, "ten"]
)
def test_no_spans(text: str) -> None:
    assert parse_span(text) is None


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (19_000_000, "19ms"),
        (1_000_000_000, "1s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h0m0s"),
        (-1_000_000, "-1ms"),
        (1_000_000_001, "1.000000001s"),
    ],
)
def test_span_texts(nanoseconds: int, text: str) -> None:
    assert span_text(Span(nanoseconds)) == text


@given(st.integers(-INT64_MAX, INT64_MAX))
def test_spans_are_read_back(nanoseconds: int) -> None:
    assert parse_span(span_text(Span(nanoseconds))) == Span(nanoseconds)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2015-01-02T15:04:35Z", "2015-01-02T15:04:35Z"),
        ("2015-01-02T15:04:35.123456789Z", "2015-01-02T15:04:35.123456789Z"),
        ("2015-01-02T15:04:35.5000000009Z", "2015-01-02T15:04:35.5Z"),
        ("2015-01-02T15:04:35+01:30", "2015-01-02T13:34:35Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
        ("0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z"),
        ("9999-12-31T23:59:59-01:00", "10000-01-01T00:59:59Z"),
    ],
)
def test_timestamps(text: str, same: str) -> None:
    timestamp = parse_timestamp(text)
    assert timestamp is not None
    assert timestamp_text(timestamp) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2015-01-02",
        "2015-01-02t15:04:35Z",
        "2015-01-02T15:04:35",
        "2015-01-02T15:04:35z",
        "2015-01-02 15:04:35Z",
        "2015-02-30T15:04:35Z",
        "2015-01-02T24:04:35Z",
        "2015-01-02T23:59:60Z",
        "2015-01-02T15:04:35.Z",
        "2015-01-02T15:04:35+25:00",
        "٢015-01-02T15:04:35Z",
    ],
)
def test_no_timestamps(text: str) -> None:
    assert parse_timestamp(text) is None


@given(st.datetimes(), st.integers(0, 999))
def test_timestamps_are_read_back(point: object, rest: int) -> None:
    timestamp = parse_timestamp(f"{point}".replace(" ", "T").partition(".")[0] + f".{rest:03d}Z")
    assert timestamp is not None
    assert parse_timestamp(timestamp_text(timestamp)) == timestamp


@given(st.integers(-(2**62), 2**62).map(Timestamp))
def test_texts_of_timestamps_are_ordered_as_they_are(timestamp: Timestamp) -> None:
    later = Timestamp(timestamp.nanoseconds + 1_000_000_000)
    assert timestamp_text(timestamp)[:19] < timestamp_text(later)[:19]
