"""The windows against naive ones that keep every grant and look through all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.quota.windows import (
    SLOT_MS,
    Counter,
    FixedWindow,
    RollingWindow,
    Window,
    granted,
    slots_of,
)

# Milliseconds since the charge before (some of them backwards), amount, best effort.
steps = st.lists(
    st.tuples(st.one_of(st.integers(0, 150), st.integers(-500, 4000)), st.integers(0, 8), st.booleans()),
    max_size=60,
)
ROLLING = st.tuples(st.sampled_from([1000, 2000, 700]), st.sampled_from([100, 250, 699])).filter(
    lambda pair: pair[1] < pair[0]
)


@pytest.mark.parametrize(
    ("left", "amount", "best_effort", "given"),
    [
        (5, 5, False, 5),
        (5, 6, False, 0),
        (5, 6, True, 5),
        (0, 1, True, 0),
        (-3, 1, True, 0),
        (-3, 0, False, 0),
    ],
)
def test_all_or_nothing_unless_best_effort(left: int, amount: int, best_effort: bool, given: int) -> None:
    assert granted(left, amount, best_effort) == given


@given(steps, ROLLING, st.booleans(), st.integers(0, 12))
def test_a_rolling_window_is_a_list_of_all_grants(
    steps: list[tuple[int, int, bool]], sizes: tuple[int, int], aligned: bool, maximum: int
) -> None:
    length, slot = sizes
    window = RollingWindow(length, slot, aligned=aligned)
    now, latest, begin = 1_000_000, 0, None
    told: list[tuple[int, int, int]] = []
    for after, amount, best_effort in steps:
        now += after
        latest = max(latest, now)
        used = sum(each for since, _, each in told if since + length > latest)
        expected = amount if amount <= maximum - used else (max(maximum - used, 0) if best_effort else 0)
        assert window.charge(now, maximum, amount, best_effort) == expected
        if expected:
            live = [since for since, _, _ in told if since + length > latest]
            begin = latest - latest % slot if aligned else latest
            if live and latest < live[-1] + slot:
                begin = live[-1]
            told.append((begin, latest, expected))
    for _, start, _ in told:
        span = [each for _, at, each in told if start <= at < start + length - slot]
        assert sum(span) <= maximum


@given(steps, st.integers(1, 3000), st.integers(0, 12))
def test_a_fixed_window_opens_with_the_first_charge(
    steps: list[tuple[int, int, bool]], length: int, maximum: int
) -> None:
    window = FixedWindow(length)
    now, latest, opened, used = 1_000_000, 0, None, 0
    for after, amount, best_effort in steps:
        now += after
        latest = max(latest, now)
        if opened is None or latest >= opened + length:
            opened, used = latest, 0
        expected = amount if amount <= maximum - used else (max(maximum - used, 0) if best_effort else 0)
        assert window.charge(now, maximum, amount, best_effort) == expected
        used += expected
        assert window.valid_ms(now) == opened + length - latest


@given(steps)
def test_what_is_given_back_can_be_taken_again(steps: list[tuple[int, int, bool]]) -> None:
    window = RollingWindow(1000, SLOT_MS, aligned=True)
    taken = sum(
        window.charge(5000 + 9 * index, 100, amount, True) for index, (_, amount, _) in enumerate(steps)
    )
    assert window.give_back(5999, taken + 5) == taken
    assert window.is_empty(5999)
    assert window.charge(5999, 100, 100, False) == 100


def test_the_newest_is_given_back_first() -> None:
    window = RollingWindow(1000, SLOT_MS, aligned=True)
    assert window.charge(0, 10, 6, False) == 6
    assert window.charge(500, 10, 4, False) == 4
    assert window.give_back(600, 5) == 5
    # One of the first six is back already, so five come back with their slot.
    assert window.charge(999, 10, 6, False) == 0
    assert window.charge(1000, 10, 10, False) == 10


def test_a_counter_gives_nothing_back_by_itself() -> None:
    counter = Counter()
    assert [counter.charge(at, 3, 2, True) for at in (0, 10, 10**9)] == [2, 1, 0]
    assert counter.valid_ms(0) == 0
    assert not counter.is_empty(10**12)
    assert counter.give_back(0, 9) == 3
    assert counter.is_empty(0)


def test_half_a_second_is_counted_as_one() -> None:
    assert [slots_of(ms) for ms in (1, 500, 1000, 1001, 5000)] == [1000, 1000, 1000, 2000, 5000]


@pytest.mark.parametrize("window", [RollingWindow(1000, 100, aligned=True), FixedWindow(1000), Counter()])
def test_a_new_window_is_empty(window: Window) -> None:
    assert window.is_empty(0)
    assert window.charge(0, 5, 0, False) == 0
    assert window.charge(0, 5, 5, False) == 5
    assert not window.is_empty(0)


def test_a_limit_that_shrank_takes_nothing_back() -> None:
    window = RollingWindow(1000, 100, aligned=True)
    assert window.charge(0, 10, 8, False) == 8
    assert window.charge(100, 5, 1, True) == 0
    assert window.charge(1000, 5, 9, True) == 5
