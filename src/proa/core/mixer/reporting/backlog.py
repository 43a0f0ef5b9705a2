"""What waits for one handler, and what became of all that ever did.

    taken = backlog.offer(instances)     the rest found no room
    batch = backlog.take()               () while one is under way, or when nothing waits
    backlog.done("delivered")            or "failed"
    backlog.close()                      nothing more comes; what is left is dropped

Each instance ends in exactly one of the counts and is handed out at most once: who reports cannot know what a handler
that failed had taken already, and a number that is too low is told by the counts, one that is too high by nothing. No
task, clock or handler: `control_plane.mixer.report_queue` has those.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final, Generic, Literal, TypeVar

import msgspec

MOST: Final = 10_000
"""Instances that wait for one handler."""
BATCH: Final = 1_000
"""Instances that a handler gets at once: as many as a proxy of 2018 told at once."""

T = TypeVar("T")
Outcome = Literal["delivered", "failed"]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """`offered` is the sum of the others and of what waits or is under way. `failed`: handed over once, and the handler
    did not say that it took them; `dropped`: never handed over."""

    offered: int = 0
    delivered: int = 0
    failed: int = 0
    dropped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            offered=self.offered + other.offered,
            delivered=self.delivered + other.delivered,
            failed=self.failed + other.failed,
            dropped=self.dropped + other.dropped,
        )


class Backlog(Generic[T]):
    """Of one handler, first in first out. When it is full the newest are dropped: the older ones are what somebody
    already waits for, and order is kept."""

    def __init__(self, most: int = MOST, batch: int = BATCH) -> None:
        self._most, self._batch = most, batch
        self._waiting: deque[T] = deque()
        self._under_way: tuple[T, ...] = ()
        self._closed = False
        self._delivered = self._failed = self._dropped = 0

    @property
    def held(self) -> int:
        """Those that wait or are under way."""
        return len(self._waiting) + len(self._under_way)

    @property
    def counts(self) -> Counts:
        ended = self._delivered + self._failed + self._dropped
        return Counts(
            offered=ended + self.held,
            delivered=self._delivered,
            failed=self._failed,
            dropped=self._dropped,
        )

    def offer(self, items: Iterable[T]) -> int:
        """How many found room."""
        offered = tuple(items)
        room = 0 if self._closed else max(0, self._most - self.held)
        self._waiting.extend(offered[:room])
        self._dropped += len(offered[room:])
        return min(room, len(offered))

    def take(self) -> tuple[T, ...]:
        if self._under_way:
            return ()
        self._under_way = tuple(islice(self._waiting, self._batch))
        for _ in self._under_way:
            self._waiting.popleft()
        return self._under_way

    def done(self, outcome: Outcome) -> None:
        """Of the batch that is under way."""
        number = len(self._under_way)
        if outcome == "delivered":
            self._delivered += number
        else:
            self._failed += number
        self._under_way = ()

    def close(self) -> int:
        """How many are dropped. A batch that is under way still is."""
        self._closed = True
        number = len(self._waiting)
        self._dropped += number
        self._waiting.clear()
        return number
