"""memquota: the windows of one process. The adapter owns one of these per handler and hands in the time.

It holds a bounded number of cells. A window in which nothing is counted any more is as good as none and goes first.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from proa.core.mixer.quota.limits import (
    Charge,
    Chosen,
    Grant,
    Left,
    QuotaLimit,
    cell_of_instance,
    choose,
)
from proa.core.mixer.quota.remembered import Remembered
from proa.core.mixer.quota.windows import SLOT_MS, Counter, RollingWindow, Window, slots_of

MOST_CELLS: Final = 100_000
DEDUPLICATION_MS: Final = 1000
LOOK_MS: Final = 1000


class NoLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The handler limits no quota of this name."""

    quota: str


class Full(msgspec.Struct, frozen=True, kw_only=True):
    """As many sets of dimensions are counted as may be, and none of them is idle."""

    cells: int


class MemoryQuotas:
    """One handler's. Not shared between tasks that could meet within a call: it never waits, so none can."""

    def __init__(
        self,
        limits: Iterable[QuotaLimit],
        *,
        deduplication_ms: int = DEDUPLICATION_MS,
        most_cells: int = MOST_CELLS,
    ) -> None:
        self._limits: dict[str, QuotaLimit] = {}
        for limit in limits:
            self._limits.setdefault(limit.quota, limit)
        self._most = most_cells
        self._cells: dict[str, Counter | RollingWindow] = {}
        self._looked_ms = -LOOK_MS
        """When idle cells were last looked for."""
        self._seen = Remembered(deduplication_ms, most_cells)

    @property
    def cells(self) -> int:
        return len(self._cells)

    @property
    def cut_short(self) -> int:
        """How often answers were forgotten before their time, for want of room."""
        return self._seen.cut_short

    def charge(self, charge: Charge, now_ms: int) -> Grant | NoLimit | Full:
        limit = self._limits.get(charge.quota)
        if limit is None:
            return NoLimit(quota=charge.quota)
        cell = cell_of_instance(charge)
        key = (charge.deduplication_id, cell)
        if charge.deduplication_id and (known := self._seen.find(now_ms, key)):
            return known
        chosen = choose(limit, charge.dimensions)
        if charge.amount == 0:
            # Who looks takes no room.
            return _apply(self._cells.get(cell) or window_of(chosen.window_ms), chosen, charge, now_ms)
        window = self._window(cell, chosen, now_ms)
        if window is None:
            return Full(cells=len(self._cells))
        grant = _apply(window, chosen, charge, now_ms)
        if charge.deduplication_id:
            self._seen.keep(now_ms, key, grant)
        return grant

    def _window(self, cell: str, chosen: Chosen, now_ms: int) -> Counter | RollingWindow | None:
        """None when there is no room."""
        window = self._cells.get(cell)
        if window is None and (len(self._cells) < self._most or self._make_room(now_ms)):
            window = self._cells[cell] = window_of(chosen.window_ms)
        return window

    def _make_room(self, now_ms: int) -> bool:
        """All that are idle go at once, and nobody looks again for a while: so many charges share the cost of it."""
        if now_ms - self._looked_ms < LOOK_MS:
            return False
        self._looked_ms = now_ms
        idle = [cell for cell, window in self._cells.items() if window.is_empty(now_ms)]
        for cell in idle:
            del self._cells[cell]
        return bool(idle)


def window_of(window_ms: int) -> Counter | RollingWindow:
    """A cell of memquota's."""
    if not window_ms:
        return Counter()
    return RollingWindow(slots_of(window_ms), SLOT_MS, aligned=True, valid_ms=window_ms)


def _apply(window: Counter | RollingWindow, chosen: Chosen, charge: Charge, now_ms: int) -> Grant:
    if charge.amount < 0:
        return Grant(amount=-window.give_back(now_ms, -charge.amount), valid_ms=0)
    given = window.charge(now_ms, chosen.max_amount, charge.amount, charge.best_effort)
    left = left_of(window, chosen, charge.amount or charge.wanted, now_ms)
    return Grant(amount=given, valid_ms=window.valid_ms(now_ms), left=left)


def left_of(window: Window, chosen: Chosen, amount: int, now_ms: int) -> Left:
    """For one more charge of `amount`."""
    return Left(
        maximum=chosen.max_amount,
        window_ms=chosen.window_ms,
        amount=max(chosen.max_amount - window.used(now_ms), 0),
        wait_ms=window.wait_ms(now_ms, chosen.max_amount, amount),
    )
