"""What the control plane would not do for whom: counted by reason and node, told in the log once in a while.

Everybody who says no to a caller tells it here: one of these counts amounts (`proa_limited_total`), another one rights
(`proa_denied_total`). One look at the metrics shows who is too loud, or tries doors, and no flood of requests becomes a
flood of log lines.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

TELL_EVERY_S: Final = 30.0
MAX_SERIES: Final = 2048
"""Reasons times nodes that are told apart; what comes later is counted under `OTHERS`."""
OTHERS: Final = "(others)"

log = logging.getLogger("proa.control_plane.limits")

Series = tuple[str, str]


class Refusals:
    """`counts`: (reason, node) -> how often."""

    def __init__(self, clock: Callable[[], float], told: logging.Logger = log) -> None:
        self._clock = clock
        self._log = told
        self._counts: Counter[Series] = Counter()
        self._told: dict[Series, tuple[float, int]] = {}

    def count(self, reason: str, node: str) -> None:
        key = (reason, node)
        if key not in self._counts and len(self._counts) >= MAX_SERIES:
            key = (reason, OTHERS)
        self._counts[key] += 1
        now = self._clock()
        at, before = self._told.get(key, (float("-inf"), 0))
        if now - at >= TELL_EVERY_S:
            self._log.warning("%s: %s (%d times)", key[1], reason, self._counts[key] - before)
            self._told[key] = (now, self._counts[key])

    def of(self, caller: str) -> Callable[[str], None]:
        """For those who know a reason and no node."""
        return lambda reason: self.count(reason, caller)

    @property
    def counts(self) -> Mapping[Series, int]:
        return MappingProxyType(self._counts)
