"""Waiting until the workers of an Envoy have the listeners that its main thread has accepted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from proa.core.sidecar.listener_counts import ListenerCounts
from proa.node.envoy_admin import AdminUnavailable

PAUSES_S: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05)
"""Between two looks; the last one repeats."""
LOST_S: Final = 0.5
"""What has not moved for so long was overtaken by another change, and no worker will ever have it."""
WARM_S: Final = 3.0
"""A listener that warms so long lacks something that may not come; the rest is not to wait for it."""
log = logging.getLogger("proa.node.workers")


class Workers:
    """Of the Envoy that `look` asks; `count` is its concurrency."""

    def __init__(self, name: str, count: int, look: Callable[[], Awaitable[ListenerCounts]]) -> None:
        self._name = name
        self._count = count
        self._look = look
        self._lost = 0

    def start_anew(self) -> None:
        """Another Envoy is there: its counters begin at nothing."""
        self._lost = 0

    async def have_listeners(self) -> None:
        """Returns when they have, when nothing moves any more, or when the Envoy does not answer: who asks goes on
        as with what the main thread said."""
        clock, tries = asyncio.get_running_loop().time, 0
        last, since = None, clock()
        while True:
            try:
                counts = await self._look()
            except AdminUnavailable as error:
                log.debug("%s: whether the workers have the listeners is not known: %s", self._name, error)
                return
            missing, warming = counts.missing(self._count), counts.warming if counts.has_workers else 0
            if not warming and missing <= self._lost:
                return
            if (missing, warming) != last:
                last, since = (missing, warming), clock()
            elif clock() - since >= (WARM_S if warming else LOST_S):
                if not warming:
                    self._lost = missing
                return
            await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
            tries += 1
