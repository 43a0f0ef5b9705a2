"""Delays grow, stay bounded, and start over."""

from hypothesis import given
from hypothesis import strategies as st

from proa.runtime.backoff import Backoff, step_delay


def test_it_doubles_up_to_the_longest_and_starts_over() -> None:
    backoff = Backoff(lambda: 1.0, shortest=0.1, longest=0.5)
    assert [backoff.next() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.succeeded()
    assert backoff.next() == 0.1


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 10_000))
def test_jitter_only_shortens_and_never_below_half(random: float, failures: int) -> None:
    whole = step_delay(failures, 0.05, 1.0)
    backoff = Backoff(lambda: random)
    for _ in range(min(failures, 40)):
        backoff.next()
    assert whole / 2 <= backoff.next() <= whole <= 1.0
