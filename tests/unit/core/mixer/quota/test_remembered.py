from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.quota.limits import Grant
from proa.core.mixer.quota.remembered import Remembered

KEY = ("id", "cell")


@given(st.integers(0, 10_000), st.lists(st.integers(0, 700), max_size=20))
def test_an_answer_is_remembered_between_one_and_two_periods(at: int, before: list[int]) -> None:
    seen = Remembered(1000, 100)
    now = 0
    for index, step in enumerate(before):
        now += step
        seen.keep(now, (str(index), "cell"), Grant(amount=1, valid_ms=1))
    seen.keep(now, KEY, Grant(amount=3, valid_ms=5000))
    found = seen.find(now + at, KEY)
    if at <= 1000:
        assert found == Grant(amount=3, valid_ms=5000 - at)
    elif at >= 2000:
        assert found is None


def test_what_is_left_of_a_grant_is_not_less_than_nothing() -> None:
    seen = Remembered(1000, 10)
    seen.keep(0, KEY, Grant(amount=3, valid_ms=200))
    assert seen.find(900, KEY) == Grant(amount=3, valid_ms=0)


def test_more_than_may_be_kept_ends_the_older_half_early() -> None:
    seen = Remembered(1000, 2)
    for index in range(4):
        seen.keep(0, (str(index), "cell"), Grant(amount=index, valid_ms=1))
    assert seen.cut_short == 1
    assert seen.find(0, ("0", "cell")) is not None
    seen.keep(0, KEY, Grant(amount=1, valid_ms=1))
    assert seen.cut_short == 2
    assert seen.find(0, ("0", "cell")) is None
    assert seen.find(0, ("3", "cell")) is not None


def test_another_cell_is_another_charge() -> None:
    seen = Remembered(1000, 2)
    seen.keep(0, KEY, Grant(amount=1, valid_ms=1))
    assert seen.find(0, ("id", "other")) is None
