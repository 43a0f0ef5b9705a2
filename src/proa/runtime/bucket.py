"""A token bucket: how fast somebody may go, with time as an argument.

For pacing (`owe`: the caller waits as long as it is told) and for refusing (`take`: yes or no). One number and one
time per bucket, whatever happens to it.
"""

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """`per_s` in the long run, `burst` at once after a pause. Of what is the user's business."""

    per_s: float
    burst: float


class Bucket:
    """Starts full. `now` never runs backwards for one bucket; if it does, no time has passed."""

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._level = rate.burst
        self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether `amount` may pass; when not, nothing is taken."""
        self._refill(now)
        if self._level < amount:
            return False
        self._level -= amount
        return True

    def owe(self, now: float, amount: float = 1.0) -> float:
        """Takes `amount` in any case: the seconds to wait until it is paid for."""
        self._refill(now)
        self._level -= amount
        return max(0.0, -self._level / self.rate.per_s)

    def give_back(self, amount: float = 1.0) -> None:
        self._level = min(self.rate.burst, self._level + amount)

    def wait_s(self, now: float, amount: float = 1.0) -> float:
        """Seconds until `amount` could be taken; 0 when it can be now."""
        self._refill(now)
        return max(0.0, (amount - self._level) / self.rate.per_s)

    def change(self, rate: Rate) -> None:
        """Another rate from now on. As full as before: changing to and fro gains nothing."""
        self._level *= rate.burst / self.rate.burst
        self.rate = rate

    def is_full(self, now: float) -> bool:
        """Whether forgetting this bucket and making a new one would change nothing."""
        self._refill(now)
        return self._level >= self.rate.burst

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = max(self._at, now)
        self._level = min(self.rate.burst, self._level + passed * self.rate.per_s)
