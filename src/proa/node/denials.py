"""Who was turned away at this node's own sockets: counted for the metrics, told in the log.

Owned by the agent, counted by whoever serves a socket. Reasons are a closed list, so that no caller makes series.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from proa.core.model.names import WorkloadId

Reason = Literal["another user", "another process"]
TOLD: Final = 10
"""Of each reason and workload so many are in the log, then each thousandth: who knocks may knock for ever."""

log = logging.getLogger("proa.node.denials")


class Denials:
    def __init__(self) -> None:
        self._counts: Counter[tuple[Reason, WorkloadId]] = Counter()

    @property
    def counts(self) -> Mapping[tuple[Reason, WorkloadId], int]:
        return MappingProxyType(self._counts)

    def count(self, reason: Reason, workload: WorkloadId, pid: int) -> None:
        self._counts[reason, workload] += 1
        count = self._counts[reason, workload]
        if count <= TOLD or count % 1000 == 0:
            log.warning(
                "%s: process %d is refused at its socket: %s (%d times)", workload, pid, reason, count
            )

    def forget(self, workload: WorkloadId) -> None:
        """It is gone from this node."""
        for key in [each for each in self._counts if each[1] == workload]:
            del self._counts[key]
