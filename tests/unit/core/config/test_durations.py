import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config.durations import duration_text, parse_duration


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("7s", 7000),
        ("0.5s", 500),
        ("1h2m3.5s", 3_723_500),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        (".5s", 500),
        ("5.s", 5000),
        ("1000us", 1),
        ("1000µs", 1),
        ("1000000ns", 1),
        ("0", 0),
        ("0s", 0),
        ("+1s", 1000),
        ("-1.5s", -1500),
        ("9223372035s", 9_223_372_035_000),
    ],
)
def test_gos_syntax(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "1d",
        "s",
        "1 s",
        "1s ",
        "1,5s",
        "--1s",
        "1e3s",
        "１s",
        "1.5ms",
        "1us",
        "9" * 70 + "s",
        "9999999999h",
        "9223372036s",  # fits into Go's nanoseconds, and Envoy refuses it
    ],
)
def test_what_is_no_duration_or_too_fine_or_too_long(text: str) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(text)


@given(st.integers(-(10**12), 10**12))
def test_text_reads_back(milliseconds: int) -> None:
    assert parse_duration(duration_text(milliseconds)) == milliseconds


def test_the_usual_spelling() -> None:
    assert [duration_text(value) for value in (0, 7, 1000, 1500, 60_000)] == [
        "0s",
        "7ms",
        "1s",
        "1.5s",
        "60s",
    ]
