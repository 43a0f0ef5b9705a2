"""When to do work that merges many changes: at once while idle, less often the more it costs.

After a round that took `c` seconds the next one waits `ratio * c` (at most `longest`), so the work never takes
more than 1 / (1 + ratio) of the time, rounds under load carry more changes each, and after a pause the first
change waits for nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Debounce:
    """Paces one worker. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float], *, ratio: float = 1.0, longest: float = 0.25) -> None:
        self._clock = clock
        self._ratio = ratio
        self._longest = longest
        self._free_at = float("-inf")

    def delay(self) -> float:
        """Seconds until the next round may begin; 0 when idle."""
        return max(0.0, self._free_at - self._clock())

    async def ready(self) -> None:
        """Waits out `delay`."""
        delay = self.delay()
        if delay > 0:
            await asyncio.sleep(delay)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around one round."""
        started = self._clock()
        try:
            yield
        finally:
            ended = self._clock()
            self._free_at = ended + min(self._longest, self._ratio * (ended - started))
