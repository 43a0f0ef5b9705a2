"""Delays grow, stay bounded, spread, and start over."""

import random

from hypothesis import given
from hypothesis import strategies as st

from proa.runtime.backoff import Backoff, step_delay


def test_it_doubles_up_to_the_longest_and_starts_over() -> None:
    backoff = Backoff(lambda: 1.0, shortest=0.1, longest=0.5)
    assert [backoff.next() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.succeeded()
    assert backoff.next() == 0.1


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 10_000))
def test_jitter_only_shortens_and_leaves_a_pause(chance: float, failures: int) -> None:
    whole = step_delay(failures, 0.05, 1.0)
    backoff = Backoff(lambda: chance)
    for _ in range(min(failures, 40)):
        backoff.next()
    assert 0.025 <= backoff.next() <= whole <= 1.0


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 30), st.integers(0, 10))
def test_who_is_told_a_time_comes_no_earlier_and_not_much_later(
    chance: float, told: float, failures: int
) -> None:
    backoff = Backoff(lambda: chance)
    for _ in range(failures):
        backoff.next()
    assert told <= backoff.next(told) <= max(1.0, 1.5 * told)


def test_a_thousand_who_fail_together_come_back_over_the_whole_step() -> None:
    seeded = random.Random(7)
    delays = []
    for _ in range(1000):
        backoff = Backoff(seeded.random)
        delays.append([backoff.next() for _ in range(6)][-1])
    for tenth in range(10):
        assert 50 <= sum(tenth / 10 <= delay < (tenth + 1) / 10 for delay in delays) <= 150
