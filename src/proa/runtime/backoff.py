"""How long to wait before trying again: doubling, bounded, jittered so that many who failed together do not
come back together."""

from collections.abc import Callable


class Backoff:
    """Delays of one retry loop, in seconds. `random` gives floats in 0..1; each delay lies between half of its
    step and the whole, so the wait stays bounded by `longest`."""

    def __init__(self, random: Callable[[], float], *, shortest: float = 0.05, longest: float = 1.0) -> None:
        self._random = random
        self._shortest = shortest
        self._longest = longest
        self._failures = 0

    def next(self) -> float:
        """Counts a failure and says how long to wait for it."""
        delay = step_delay(self._failures, self._shortest, self._longest)
        self._failures += 1
        return delay * (0.5 + 0.5 * self._random())

    def succeeded(self) -> None:
        self._failures = 0


def step_delay(failures: int, shortest: float, longest: float) -> float:
    """The unjittered delay after so many failures in a row."""
    return min(longest, shortest * 2.0 ** min(failures, 60))
