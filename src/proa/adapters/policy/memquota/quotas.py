"""memquota: `core.mixer.quota.memory` with a clock. What it counts is forgotten when the process ends."""

import time
from collections.abc import Callable, Iterable

from proa.core.mixer.quota.limits import Charge, Grant, QuotaLimit
from proa.core.mixer.quota.memory import DEDUPLICATION_MS, MOST_CELLS, Full, MemoryQuotas, NoLimit
from proa.ports.failures import HandlerPermanent, HandlerTemporary


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class MemQuotas:
    """A port's Quotas. Owns its windows."""

    def __init__(
        self,
        limits: Iterable[QuotaLimit],
        *,
        deduplication_ms: int = DEDUPLICATION_MS,
        most_cells: int = MOST_CELLS,
        clock: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._quotas = MemoryQuotas(limits, deduplication_ms=deduplication_ms, most_cells=most_cells)
        self._clock = clock

    async def charge(self, charge: Charge) -> Grant:
        answer = self._quotas.charge(charge, self._clock())
        match answer:
            case Grant():
                return answer
            case NoLimit():
                raise HandlerPermanent(f"nothing limits {answer.quota}")
            case Full():
                raise HandlerTemporary(f"{answer.cells} sets of dimensions are counted, and none is idle")
