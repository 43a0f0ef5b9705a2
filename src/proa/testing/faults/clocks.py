"""A wall clock that is set, for code that is given its clock as an argument.

Code that calls `time.time` itself, and programs of their own, are out of reach: the kernel has namespaces for
the monotonic clock but none for the wall clock, and setting the machine's is no test's business. Tests of those skip.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from proa.testing.faults.bounds import bounded


class JumpingClock:
    """Callable as `time.time` is. `offset`, in seconds, is owned by `clock_jump`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.offset = 0.0

    def __call__(self) -> float:
        return self._clock() + self.offset


@contextlib.contextmanager
def clock_jump(clock: JumpingClock, seconds: float, *, at_most_s: float = 60.0) -> Iterator[None]:
    """The clock is `seconds` ahead (or behind) for the block, and right again after it: two jumps."""

    def back() -> None:
        clock.offset -= seconds

    with bounded(f"the clock's jump by {seconds:g} s", at_most_s, back):
        clock.offset += seconds
        yield
