"""A clock that is set forth and back."""

from proa.core.auth.rotation import state_of
from proa.testing.faults import JumpingClock, clock_jump


def test_a_certificate_ends_while_the_clock_is_ahead() -> None:
    clock = JumpingClock(lambda: 1000.0)
    with clock_jump(clock, 3600):
        assert clock() == 4600
        assert state_of(900, 3000, clock()) == "expired"
        with clock_jump(clock, -7200):
            assert clock() == -2600
    assert clock() == 1000
    assert state_of(900, 3000, clock()) == "valid"
