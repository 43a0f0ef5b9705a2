"""Counted every time, told now and then."""

import pytest

from proa.control_plane.refusals import MAX_SERIES, OTHERS, TELL_EVERY_S, Refusals


def test_a_flood_of_refusals_is_one_line_and_a_number(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    refusals = Refusals(lambda: now)
    for _ in range(1000):
        refusals.count("pace of stream", "a")
    refusals.count("pace of stream", "b")
    now = TELL_EVERY_S
    refusals.count("pace of stream", "a")
    assert [record.getMessage() for record in caplog.records] == [
        "a: pace of stream (1 times)",
        "b: pace of stream (1 times)",
        "a: pace of stream (1000 times)",
    ]
    assert refusals.counts == {("pace of stream", "a"): 1001, ("pace of stream", "b"): 1}


def test_the_series_are_bounded() -> None:
    refusals = Refusals(lambda: 0.0)
    for each in range(MAX_SERIES + 100):
        refusals.of(f"node-{each}")("queue full")
    assert len(refusals.counts) == MAX_SERIES + 1
    assert refusals.counts[("queue full", OTHERS)] == 100
