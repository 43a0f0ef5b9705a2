"""When a credential is renewed. Agents ask it for leafs, the authority for its intermediate; nobody waits here.

Times are unix seconds, jitter is an argument: many leafs are issued in the same second when a mesh starts, and
without it they would all come back in the same second twelve hours later.
"""

from typing import Final, Literal

State = Literal["valid", "due", "expired"]
"""`due`: still good, and should be renewed; `expired`: no peer takes it."""

SPREAD: Final = 0.1
"""Jitter moves a renewal by at most this share of the lifetime, always to the earlier side."""


def renew_at(not_before: float, not_after: float, jitter: float = 0.0) -> float:
    """Half the lifetime, brought forward by `jitter` (0 to 1) of a tenth of it.

    Never later than half life: the other half is for control planes that cannot be reached. Raises ValueError
    for a jitter outside 0..1.
    """
    if not 0.0 <= jitter <= 1.0:
        raise ValueError(f"jitter {jitter} is not within 0..1")
    life = not_after - not_before
    return not_before + life * (0.5 - SPREAD * jitter)


def state_of(not_before: float, not_after: float, now: float, jitter: float = 0.0) -> State:
    """How a credential stands at `now`."""
    if now >= not_after:
        return "expired"
    return "due" if now >= renew_at(not_before, not_after, jitter) else "valid"
