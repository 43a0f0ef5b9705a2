"""Work waits for nothing when idle and leaves room when it does not end."""

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
