"""Work waits for nothing when idle and leaves room when it does not end."""

import pytest

from proa.runtime.debounce import Debounce


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_change_waits_for_nothing() -> None:
    assert Debounce(Clock()).delay() == 0


def test_the_window_grows_with_what_a_round_costs_and_is_bounded() -> None:
    clock = Clock()
    debounce = Debounce(clock, ratio=1.0, longest=0.25)
    for cost, window in ((0.01, 0.01), (0.1, 0.1), (5.0, 0.25)):
        with debounce.working():
            clock.now += cost
        assert abs(debounce.delay() - window) < 1e-9
        clock.now += 1


def test_after_a_pause_it_is_idle_again() -> None:
    clock = Clock()
    debounce = Debounce(clock)
    with debounce.working():
        clock.now += 0.2
    clock.now += 0.2
    assert debounce.delay() == 0


def test_work_that_a_round_left_behind_counts_as_its_cost() -> None:
    clock, work = Clock(), Clock()
    debounce = Debounce(clock, work=work, ratio=1.0, longest=0.25)
    with debounce.working():
        pass
    assert debounce.delay() == 0
    clock.now += 0.05
    work.now += 0.05
    assert debounce.delay() == pytest.approx(0.05)
    clock.now += 0.05
    assert debounce.delay() == 0
    work.now += 9.0
    assert debounce.delay() == pytest.approx(0.15)


def test_work_before_a_round_is_not_its_cost() -> None:
    clock, work = Clock(), Clock()
    debounce = Debounce(clock, work=work)
    work.now = 100.0
    assert debounce.delay() == 0
    with debounce.working():
        pass
    assert debounce.delay() == 0
