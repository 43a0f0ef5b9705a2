"""How much a bucket lets through."""

from hypothesis import given
from hypothesis import strategies as st

from proa.runtime.bucket import Bucket, Rate


def test_a_burst_passes_and_then_the_rate() -> None:
    bucket = Bucket(Rate(per_s=2, burst=3), 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_s(0.0) == 0.5
    assert bucket.take(0.5)
    assert not bucket.take(0.75)


def test_who_owes_waits_until_it_is_paid() -> None:
    bucket = Bucket(Rate(per_s=10, burst=1), 0.0)
    assert bucket.owe(0.0) == 0.0
    assert bucket.owe(0.0, 5) == 0.5
    assert bucket.owe(0.5) == 0.1


def test_what_is_given_back_can_be_taken_and_never_more_than_the_burst() -> None:
    bucket = Bucket(Rate(per_s=1, burst=1), 0.0)
    bucket.give_back()
    assert bucket.is_full(0.0)
    assert bucket.take(0.0)
    assert not bucket.is_full(0.0)
    bucket.give_back()
    assert bucket.take(0.0)
    assert not bucket.take(0.0)


def test_a_rate_that_changes_to_and_fro_gains_nothing() -> None:
    small, large = Rate(per_s=1, burst=2), Rate(per_s=1, burst=10)
    bucket = Bucket(small, 0.0)
    assert bucket.take(0.0)
    bucket.change(large)
    assert bucket.take(0.0, 5)
    assert not bucket.take(0.0)
    bucket.change(small)
    bucket.change(large)
    assert not bucket.take(0.0)


def test_a_clock_that_jumps_back_gives_nothing() -> None:
    bucket = Bucket(Rate(per_s=1, burst=1), 100.0)
    assert bucket.take(100.0)
    assert not bucket.take(0.0)
    assert not bucket.take(100.5)
    assert bucket.take(101.0)


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 5)), max_size=60),
)
def test_never_more_than_burst_and_rate(per_s: float, burst: int, tries: list[tuple[float, int]]) -> None:
    bucket, now, passed = Bucket(Rate(per_s=per_s, burst=burst), 0.0), 0.0, 0
    for pause, amount in tries:
        now += pause
        passed += amount if bucket.take(now, amount) else 0
        assert passed <= burst + per_s * now + 1e-6
