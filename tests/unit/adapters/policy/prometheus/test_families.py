import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from proa.adapters.policy.prometheus.definitions import Definition
from proa.adapters.policy.prometheus.families import Family, number_text

COUNTER = Definition(name="a_b", help="of\nall \\ kinds", type="counter", labels=("app", "code"))
HISTOGRAM = Definition(name="t_seconds", help="t", type="histogram", labels=("app",), bounds=(0.5, 1.0))
GAUGE = Definition(name="g", help="g", type="gauge", labels=())


def page(family: Family) -> str:
    return "".join(family.text())


def test_a_counter_adds_and_keeps_its_name() -> None:
    family = Family(COUNTER)
    assert page(family) == ""
    for value in (1, 2.5):
        assert family.add(("shop", "200"), value, 0) == ""
    assert family.add(('a"b\\c\nd', ""), 1, 0) == ""
    assert page(family) == (
        "# HELP a_b of\\nall \\\\ kinds\n# TYPE a_b counter\n"
        'a_b{app="shop",code="200"} 3.5\n'
        'a_b{app="a\\"b\\\\c\\nd"} 1\n'
    )


def test_a_gauge_is_what_was_told_last() -> None:
    family = Family(GAUGE)
    for value in (5, -3):
        family.add((), value, 0)
    assert page(family).endswith("\ng -3\n")


def test_a_value_on_a_bound_is_below_it() -> None:
    family = Family(HISTOGRAM)
    for value in (0.5, 0.7, 1, 30):
        family.add(("shop",), value, 0)
    assert page(family).splitlines()[2:] == [
        't_seconds_bucket{app="shop",le="0.5"} 1',
        't_seconds_bucket{app="shop",le="1"} 3',
        't_seconds_bucket{app="shop",le="+Inf"} 4',
        't_seconds_sum{app="shop"} 32.2',
        't_seconds_count{app="shop"} 4',
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1])
def test_what_cannot_be_counted_is_told(value: float) -> None:
    family = Family(COUNTER)
    assert family.add(("a", "b"), value, 0) == "value"
    assert page(family) == ""


def test_there_are_so_many_series_and_no_more() -> None:
    family = Family(HISTOGRAM, most_lines=10)  # of five each
    assert [family.add((app,), 1, 0) for app in "abca"] == ["", "", "series", ""]
    assert len(family) == 2


def test_a_series_that_nobody_adds_to_expires_and_leaves_its_place() -> None:
    family = Family(COUNTER, most_lines=2)
    family.expire(1000)
    for app, now in (("a", 0), ("b", 0), ("b", 5)):
        family.add((app, ""), 1, now)
    family.expire(100)
    assert len(family) == 2  # nobody said that they expire
    family.expiry_s = 10
    family.expire(10)
    assert page(family).splitlines()[2:] == ['a_b{app="b"} 2']
    assert family.add(("c", ""), 1, 11) == ""
    family.expire(15)
    assert page(family).splitlines()[2:] == ['a_b{app="c"} 1']


def test_series_that_come_while_the_page_is_read_break_no_line() -> None:
    family = Family(COUNTER)
    for number in range(1200):
        family.add((str(number), ""), 1, 0)
    pieces = []
    for number, piece in enumerate(family.text()):
        pieces.append(piece)
        family.add((f"new {number}", ""), 1, 0)
        family.expire(0)
    assert len(pieces) == 4
    assert all(piece.endswith("\n") for piece in pieces)
    told = "".join(pieces).splitlines()[2:]
    assert [line for line in told if "new" not in line] == [
        f'a_b{{app="{number}"}} 1' for number in range(1200)
    ]


TEXTS = st.text(max_size=20).filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text))


@given(
    st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 1000)), max_size=10, unique_by=lambda each: each[:2]),
    st.sampled_from([COUNTER, HISTOGRAM]),
)
def test_whatever_is_counted_is_read_back(added: list[tuple[str, str, int]], definition: Definition) -> None:
    """By the client library's parser, which gives counters the ending that it wants them to have."""
    family = Family(definition)
    wanted: dict[tuple[str, ...], float] = {}
    for app, code, value in added:
        labels = (app, code)[: len(definition.labels)]
        family.add(labels, value, 0)
        wanted[labels] = wanted.get(labels, 0) + value
    told: dict[tuple[str, ...], float] = {}
    for metric in text_string_to_metric_families(page(family)):
        for sample in metric.samples:
            if sample.name in ("a_b_total", "t_seconds_sum"):
                told[tuple(sample.labels.get(label, "") for label in definition.labels)] = sample.value
    assert told == wanted


@given(st.floats(allow_nan=False))
def test_numbers_are_read_back(value: float) -> None:
    assert float(number_text(value)) == value
