"""A fault is taken back once, whatever happens."""

import threading

import pytest

from proa.testing.faults.bounds import FaultOverdue, FaultUnavailable, bounded, tool


def test_it_is_taken_back_when_the_block_ends_or_fails() -> None:
    calls: list[str] = []
    with bounded("it", 60, lambda: calls.append("back")):
        assert calls == []
    with pytest.raises(KeyError), bounded("it", 60, lambda: calls.append("back")):
        raise KeyError
    assert calls == ["back", "back"]


def test_it_is_taken_back_when_its_time_is_over_and_the_block_hears_of_it() -> None:
    back = threading.Event()
    with pytest.raises(FaultOverdue, match="it was taken back after"), bounded("it", 0.01, back.set):
        assert back.wait(60)


def test_a_tool_that_fails_says_what_it_said() -> None:
    tool(("true",))
    with pytest.raises(FaultUnavailable, match="no program"):
        tool(("/no/such/tool",))
    with pytest.raises(FaultUnavailable, match="spoilt"):
        tool(("sh", "-c", "echo spoilt >&2; exit 3"))
