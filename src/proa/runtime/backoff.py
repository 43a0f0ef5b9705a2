"""How long to wait before trying again: doubling, bounded, and so jittered that many who failed together do not
come back together."""

from collections.abc import Callable


class Backoff:
    """Delays of one retry loop, in seconds. `random` gives floats in 0..1. A delay lies anywhere between half of
    `shortest` and its step ("full jitter"): those who lost one server together come back evenly spread."""

    def __init__(self, random: Callable[[], float], *, shortest: float = 0.05, longest: float = 1.0) -> None:
        self._random = random
        self._shortest = shortest
        self._longest = longest
        self._failures = 0

    def next(self, told: float = 0.0) -> float:
        """Counts a failure and says how long to wait for it. `told` is how long the other side asked to be left in
        peace: the wait is then between that and half as much again."""
        step = step_delay(self._failures, self._shortest, self._longest)
        self._failures += 1
        floor = self._shortest / 2
        return max(floor + (step - floor) * self._random(), told * (1.0 + 0.5 * self._random()))

    def succeeded(self) -> None:
        self._failures = 0


def step_delay(failures: int, shortest: float, longest: float) -> float:
    """The unjittered delay after so many failures in a row."""
    return min(longest, shortest * 2.0 ** min(failures, 60))
