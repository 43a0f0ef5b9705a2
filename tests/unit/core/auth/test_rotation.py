import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.rotation import renew_at, state_of

times = st.floats(min_value=0, max_value=1e10)
lives = st.floats(min_value=1, max_value=1e9)
jitters = st.floats(min_value=0, max_value=1)


@given(times, lives, jitters)
def test_renewal_is_before_half_life_and_not_long_before(start: float, life: float, jitter: float) -> None:
    at = renew_at(start, start + life, jitter)
    assert start + 0.399 * life <= at <= start + 0.501 * life


@given(times, lives, jitters, times)
def test_states_follow_each_other(start: float, life: float, jitter: float, now: float) -> None:
    state = state_of(start, start + life, now, jitter)
    if now >= start + life:
        assert state == "expired"
    else:
        assert state == ("due" if now >= renew_at(start, start + life, jitter) else "valid")


def test_a_day_is_renewed_at_noon() -> None:
    assert renew_at(0, 86_400) == 43_200
    assert renew_at(0, 86_400, 1.0) == pytest.approx(34_560)
    assert [state_of(0, 100, now) for now in (0, 49, 50, 99, 100)] == [
        "valid",
        "valid",
        "due",
        "due",
        "expired",
    ]


@pytest.mark.parametrize("jitter", [-0.1, 1.1])
def test_jitter_is_a_share(jitter: float) -> None:
    with pytest.raises(ValueError, match="jitter"):
        renew_at(0, 1, jitter)
