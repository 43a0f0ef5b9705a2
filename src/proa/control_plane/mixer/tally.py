"""What is counted of the calls to one handler: how they ended and how long they took."""

from bisect import bisect_left
from collections import Counter
from typing import Final, Literal

Outcome = Literal["answered", "late", "failed", "broken", "full", "unopened", "cancelled"]
"""`late`: not within the deadline. `failed`: the handler said that it cannot. `broken`: it raised something else, or
answered with something else. `full`: too many calls were under way. `unopened`: it could not be opened. `cancelled`:
whoever asked is gone."""

BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper ends, in seconds: from a handler in the process to the longest deadline."""


class Tally:
    """Of one name: a handler that is opened anew under its name counts on."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.seconds = 0.0
        self.by_bucket = [0] * (len(BUCKETS) + 1)

    def note(self, outcome: Outcome, seconds: float) -> None:
        self.outcomes[outcome] += 1
        self.seconds += seconds
        self.by_bucket[bisect_left(BUCKETS, seconds)] += 1
