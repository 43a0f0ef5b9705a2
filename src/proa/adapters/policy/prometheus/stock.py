"""All metrics of a process, whichever handlers count them: one page, on which each name stands once.

A metric belongs to what defines it. Handlers that define the same one count together, so one that takes another's place
goes on where that was; a metric that is defined anew begins at zero, and of two definitions of a name the last that
came into force is shown. What the last handler has left stays for `LEFT_S`, so that a scraper reads it once more.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from proa.adapters.policy.prometheus.definitions import Definition
from proa.adapters.policy.prometheus.families import MOST_LINES, Family

LEFT_S: Final = 300.0
DROPPED: Final = Definition(
    name="proa_mixer_prometheus_dropped_total",
    help="Values that were not counted: too many series, a value that cannot be, or no metric for the instance",
    type="counter",
    labels=("metric", "reason"),
)


class Shared:
    """A family and who uses it. `used` tells which of two was in use last."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.users = 0
        self.used = 0
        self.left = 0.0


class Stock:
    """`clock` in seconds, of any beginning."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        left_s: float = LEFT_S,
        most_lines: int = MOST_LINES,
    ) -> None:
        self.clock = clock
        self._left_s, self._most_lines = left_s, most_lines
        self._shared: dict[Definition, Shared] = {}
        self._uses = 0
        self.dropped = Family(DROPPED)

    def use(self, definition: Definition) -> Shared:
        """Until `leave`."""
        shared = self._shared.get(definition)
        if shared is None:
            shared = self._shared[definition] = Shared(Family(definition, most_lines=self._most_lines))
        self._uses += 1
        shared.users += 1
        shared.used = self._uses
        return shared

    def leave(self, shared: Shared) -> None:
        shared.users -= 1
        shared.left = self.clock()

    def text(self) -> Iterator[str]:
        """The page, in pieces of whole lines."""
        now = self.clock()
        self._tidy(now)
        shown: dict[str, Shared] = {}
        for definition, shared in self._shared.items():
            other = shown.get(definition.name)
            if other is None or (bool(shared.users), shared.used) > (bool(other.users), other.used):
                shown[definition.name] = shared
        for _, shared in sorted(shown.items()):
            shared.family.expire(now)
            yield from shared.family.text()
        yield from self.dropped.text()

    def _tidy(self, now: float) -> None:
        due = now - self._left_s
        self._shared = {
            definition: shared
            for definition, shared in self._shared.items()
            if shared.users or shared.left > due
        }
