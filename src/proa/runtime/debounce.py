"""When to do work that merges many changes: at once while idle, less often the more it costs.

After a round that took `c` seconds the next one waits `ratio * c` (at most `longest`), so the work never takes
more than 1 / (1 + ratio) of the time, rounds under load carry more changes each, and after a pause the first
change waits for nothing.

What a round sets off goes on after it has returned: answers are written and read, each of them short. A round's
cost is then what the `work` clock (the process's CPU time) has counted since it began. Without that, a worker
whose rounds are cheap and whose consequences are not takes one round per change however far behind it is.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Debounce:
    """Paces one worker. `clock` is monotonic seconds; `work` is seconds of work done, of whatever kind."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        work: Callable[[], float] | None = None,
        ratio: float = 1.0,
        longest: float = 0.25,
    ) -> None:
        self._clock = clock
        self._work = work
        self._ratio = ratio
        self._longest = longest
        self._free_at = float("-inf")
        self._began_at = float("-inf")
        self._work_before = 0.0

    def delay(self) -> float:
        """Seconds until the next round may begin; 0 when idle."""
        free_at = self._free_at
        if self._work is not None:
            cost = self._work() - self._work_before
            free_at = max(free_at, self._began_at + min(self._longest, (1 + self._ratio) * cost))
        return max(0.0, free_at - self._clock())

    async def ready(self) -> None:
        """Waits out `delay`, which may grow meanwhile."""
        delay = self.delay()
        while delay > 0:
            await asyncio.sleep(delay)
            delay = self.delay()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around one round."""
        started = self._began_at = self._clock()
        if self._work is not None:
            self._work_before = self._work()
        try:
            yield
        finally:
            ended = self._clock()
            self._free_at = ended + min(self._longest, self._ratio * (ended - started))
