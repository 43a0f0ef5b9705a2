"""redisquota: what its script does, with the time handed in. A contract holds the script to it.

One window for each limit, FIXED or ROLLING, whoever is charged: the dimensions only choose the limit. (2018 joined all
overrides that fit and took the last one's amount; the documentation said that the first counts, and so it does here.)
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from proa.core.mixer.quota.limits import (
    Charge,
    Chosen,
    Grant,
    Left,
    QuotaLimit,
    cell_of_limit,
    choose,
)
from proa.core.mixer.quota.memory import NoLimit
from proa.core.mixer.quota.windows import FixedWindow, RollingWindow

Algorithm = Literal["FIXED_WINDOW", "ROLLING_WINDOW"]


class SharedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """`bucket_ms` is of rolling windows: shorter than the window, which is longer than 0. Overrides have the window of
    the limit."""

    limit: QuotaLimit
    algorithm: Algorithm = "FIXED_WINDOW"
    bucket_ms: int = 0


class SharedQuotas:
    """The windows of all limits of one Redis, in one process. Of more than `most_answers` the oldest is forgotten."""

    def __init__(self, limits: Iterable[SharedLimit], *, most_answers: int = 100_000) -> None:
        self._most = most_answers
        self._limits: dict[str, SharedLimit] = {}
        for limit in limits:
            self._limits.setdefault(limit.limit.quota, limit)
        self._cells: dict[str, FixedWindow | RollingWindow] = {}
        self._seen: dict[tuple[str, str], tuple[Grant, int]] = {}
        """The answer and until when it holds."""

    def charge(self, charge: Charge, now_ms: int) -> Grant | NoLimit:
        """Nothing can be given back: the windows are shared, and who gives back is not known to have taken."""
        shared = self._limits.get(charge.quota)
        if shared is None:
            return NoLimit(quota=charge.quota)
        if charge.amount < 0:
            return Grant(amount=0, valid_ms=0)
        chosen = choose(shared.limit, charge.dimensions)
        cell = cell_of_limit(shared.limit, chosen)
        grant, until = self._seen.get((charge.deduplication_id, cell), (None, 0))
        if grant is not None and now_ms < until:
            return Grant(amount=grant.amount, valid_ms=until - now_ms)
        window = self._cells.setdefault(cell, window_of(shared))
        if charge.amount == 0:
            return grant_of(charge, chosen, 0, window.valid_ms(now_ms), window.used(now_ms))
        given = window.charge(now_ms, chosen.max_amount, charge.amount, charge.best_effort)
        grant = grant_of(charge, chosen, given, window.valid_ms(now_ms), window.used(now_ms))
        if charge.deduplication_id:
            if len(self._seen) >= self._most:
                del self._seen[next(iter(self._seen))]
            self._seen[charge.deduplication_id, cell] = grant, now_ms + grant.valid_ms
        return grant


def grant_of(charge: Charge, chosen: Chosen, given: int, valid_ms: int, used: int) -> Grant:
    """What Redis tells is when a window is over as a whole; of one that rolls there may be room before."""
    room, amount = chosen.max_amount - used, charge.amount or charge.wanted
    wait: int | None = valid_ms if amount <= chosen.max_amount else None
    left = Left(
        maximum=chosen.max_amount,
        window_ms=chosen.window_ms,
        amount=max(room, 0),
        wait_ms=0 if amount <= room else wait,
    )
    return Grant(amount=given, valid_ms=valid_ms, left=left)


def window_of(shared: SharedLimit) -> FixedWindow | RollingWindow:
    if shared.algorithm == "FIXED_WINDOW":
        return FixedWindow(shared.limit.window_ms)
    return RollingWindow(shared.limit.window_ms, shared.bucket_ms, aligned=False)
