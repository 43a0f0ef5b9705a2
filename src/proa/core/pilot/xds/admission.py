"""Which new streams begin now, which wait and which are sent away: decided by what the server has not done yet.

A stream costs most until it has its first full set; the streams in that state are *filling*. As many may fill at
once as the server keeps up with: fewer when its event loop is late, one by one while those that stand wait for a
change. There is no rate, so a fast machine is as fast as it can and a slow one is not drowned.

Who does not begin waits in a queue that takes one stream of each node in turn, so that a node with a thousand
workloads does not stand before one with two. The queue is bounded; beyond that a stream is refused with the time
after which it is worth coming back. A stream that does not come to an end (its peer sleeps, or means harm) keeps
its place for `patience_s` and no longer, and one node never has more than half of the places.

Called by the control plane's gate, which owns the clock and the waiting. Pure: time is an argument.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

import msgspec

LONGEST_RETRY_S: Final = 30.0
SHORTEST_RETRY_S: Final = 0.5
_WEIGHT: Final = 0.1
"""Of the newest interval in the running mean."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`at_once` streams fill while the loop is less than `lag_s` late; above that the number falls as the lag grows.
    While a change has been on its way for more than `push_s` to most of those it is for, one fills at a time."""

    at_once: int = 64
    lag_s: float = 0.1
    push_s: float = 1.0
    patience_s: float = 3.0
    waiting: int = 4096
    waiting_of_node: int = 1024


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What the server is behind with: how late its event loop runs, and since when most of the streams that stand have
    waited for a change."""

    lag_s: float = 0.0
    push_s: float = 0.0


class TurnedAway(msgspec.Struct, frozen=True, kw_only=True):
    """Not even a place in the queue. `reason` is one of a few words, for a counter."""

    reason: str
    retry_s: float


def places(bounds: Bounds, backlog: Backlog) -> int:
    """How many streams may fill at once; never none, so that there is always progress."""
    if backlog.push_s > bounds.push_s:
        return 1
    if backlog.lag_s <= bounds.lag_s:
        return bounds.at_once
    return max(1, int(bounds.at_once * bounds.lag_s / backlog.lag_s))


class _Filling(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    since: float


K = TypeVar("K", bound=Hashable)


class Admission(Generic[K]):
    """Owner of the places and of the queue. `K` names one attempt to open a stream, and is never used twice."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._filling: dict[K, _Filling] = {}
        self._filling_of: dict[str, int] = {}
        self._queue: dict[str, dict[K, None]] = {}
        self._node_of: dict[K, str] = {}
        self._interval_s = 0.0
        self._ended_at: float | None = None

    @property
    def waiting(self) -> int:
        return len(self._node_of)

    @property
    def filling(self) -> tuple[K, ...]:
        return tuple(self._filling)

    def ask(self, key: K, node: str) -> TurnedAway | None:
        """A stream wants to begin: it waits until `admit` returns it. None when it may wait."""
        if self.waiting >= self._bounds.waiting:
            return TurnedAway(reason="queue full", retry_s=self.retry_s())
        line = self._queue.setdefault(node, {})
        if len(line) >= self._bounds.waiting_of_node:
            return TurnedAway(reason="queue of node full", retry_s=self.retry_s())
        line[key] = None
        self._node_of[key] = node
        return None

    def admit(self, now: float, backlog: Backlog) -> tuple[K, ...]:
        """Who begins now, in order."""
        for key in [k for k, each in self._filling.items() if now - each.since >= self._bounds.patience_s]:
            self._end(key)
        at_once = places(self._bounds, backlog)
        share = (at_once + 1) // 2
        admitted: list[K] = []
        while len(self._filling) < at_once:
            node = next((each for each in self._queue if self._filling_of.get(each, 0) < share), None)
            if node is None:
                break
            key = next(iter(self._queue[node]))
            self._take_from_queue(key, node, back_of_the_line=True)
            self._filling[key] = _Filling(node=node, since=now)
            self._filling_of[node] = self._filling_of.get(node, 0) + 1
            admitted.append(key)
        if not self.waiting:
            self._ended_at = None  # a pause says nothing about how fast streams are filled
        return tuple(admitted)

    def filled(self, key: K, now: float) -> None:
        """A stream has its first full set."""
        if key in self._filling:
            if self._ended_at is not None:
                self._interval_s += _WEIGHT * (now - self._ended_at - self._interval_s)
            self._ended_at = now
            self._end(key)

    def left(self, key: K) -> None:
        """A stream ended, or its peer does not wait any more. Unknown ones are none of this one's business."""
        node = self._node_of.get(key)
        if node is not None:
            self._take_from_queue(key, node, back_of_the_line=False)
        elif key in self._filling:
            self._end(key)

    def retry_s(self) -> float:
        """When the queue of now will have been served, as far as one knows."""
        return min(max(self.waiting * self._interval_s, SHORTEST_RETRY_S), LONGEST_RETRY_S)

    def _take_from_queue(self, key: K, node: str, *, back_of_the_line: bool) -> None:
        del self._node_of[key]
        line = self._queue[node]
        del line[key]
        if not line:
            del self._queue[node]
        elif back_of_the_line:
            self._queue[node] = self._queue.pop(node)

    def _end(self, key: K) -> None:
        node = self._filling.pop(key).node
        self._filling_of[node] -= 1
        if not self._filling_of[node]:
            del self._filling_of[node]
