"""Cells: one per name, oldest first."""

from hypothesis import given
from hypothesis import strategies as st

from proa.core.pilot.xds.delta_state import NEVER, Cell, Flight, Suspects, TypeState, split
from proa.testing.xds import ROUTE


def test_a_cell_remembers_its_first_and_its_last_change() -> None:
    state = TypeState(ROUTE)
    state.touch(["a", "b"], 1, first=1, absent=set())
    state.touch(["a"], 5, first=5, absent=set())
    assert state.updates == {"a": Cell(1, 5), "b": Cell(1, 1)}


def test_a_name_that_vanishes_moves_and_keeps_its_age() -> None:
    state = TypeState(ROUTE)
    state.touch(["old"], 1, first=1, absent=set())
    state.touch(["new"], 2, first=2, absent={"new"})
    state.touch(["old"], 3, first=3, absent={"old"})
    assert list(state.removals.items()) == [("old", Cell(1, 3)), ("new", Cell(2, 2))]
    assert state.updates == {}


def test_what_belongs_to_an_earlier_change_goes_to_the_front() -> None:
    state = TypeState(ROUTE)
    state.touch(["late"], 5, first=5, absent=set())
    state.touch(["early"], 6, first=2, absent=set())
    assert list(state.updates) == ["early", "late"]
    assert state.oldest(with_removals=False) == 2


def test_oldest_counts_flights_suspects_and_on_request_removals() -> None:
    state = TypeState(ROUTE)
    assert state.oldest(with_removals=True) == NEVER
    state.touch(["a"], 7, first=7, absent={"a"})
    assert (state.oldest(with_removals=False), state.oldest(with_removals=True)) == (NEVER, 7)
    state.flights["1"] = Flight(versions={"b": ""}, first=3)
    assert (state.oldest(with_removals=False), state.oldest(with_removals=True)) == (NEVER, 3)
    state.flights["1"] = Flight(versions={"b": "1"}, first=3, stalled=True)
    assert not state.is_busy
    assert state.oldest(with_removals=True) == 7
    state.suspects.append(Suspects(versions={"c": "1"}, first=2))
    assert state.oldest(with_removals=False) == 2
    assert state.pending() == {"a", "b", "c"}


NAMES = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.just("1"), min_size=2)


@given(versions=NAMES, error=st.text("abc :", max_size=20))
def test_split_loses_nothing_and_comes_to_an_end(versions: dict[str, str], error: str) -> None:
    parts = split(versions, error)
    assert sorted(name for part in parts for name in part) == sorted(versions)
    assert all(part and len(part) < len(versions) for part in parts)
