"""Whether an Envoy's workers have the listeners that its main thread has accepted, by its own counters.

Envoy acknowledges LDS from its main thread and hands the listeners to its workers afterwards. On a busy machine a
worker goes on with the listener before for tens of milliseconds, and closes a connection of the kind that only the new
one takes. `listener_manager.listener_create_success` counts each listener at each worker that has it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

PREFIX: Final = "listener_manager."
COUNTERS: Final = (
    "listener_added",
    "listener_modified",
    "listener_create_success",
    "listener_create_failure",
    "total_listeners_warming",
    "workers_started",
)
"""Of Envoy's documentation, "Listener manager statistics"."""


class ListenerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """`changes` were accepted since the Envoy began, `judged` is how often a worker has taken one or failed to.
    `warming` ones wait for what they need, as filters by name; no worker hears of them before."""

    changes: int
    judged: int
    warming: int
    has_workers: bool

    def missing(self, workers: int) -> int:
        """How often a worker has still to judge a change, and how often it never will: a change that another one
        overtook while it was warming stays missing for good. 0 before there are workers."""
        return workers * (self.changes - self.warming) - self.judged if self.has_workers else 0


def read_counts(stats: Mapping[str, int]) -> ListenerCounts:
    """Of counters by their names in Envoy; what is absent is 0."""
    found = {name: stats.get(PREFIX + name, 0) for name in COUNTERS}
    return ListenerCounts(
        changes=found["listener_added"] + found["listener_modified"],
        judged=found["listener_create_success"] + found["listener_create_failure"],
        warming=found["total_listeners_warming"],
        has_workers=found["workers_started"] == 1,
    )
