"""Which charges were answered already, so that a repetition costs nothing. memquota's cells ask.

Two generations that take turns: an answer is remembered for one to two periods, and forgetting is cheap.
"""

import msgspec

from proa.core.mixer.quota.limits import Grant


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`until_ms`: when what was granted is good for nothing any more."""

    amount: int
    until_ms: int


class Remembered:
    """At most two times `most` answers: one more ends the older generation early, which `cut_short` counts."""

    __slots__ = ("_most", "_old", "_period", "_recent", "_turn", "cut_short")

    def __init__(self, period_ms: int, most: int) -> None:
        self._period, self._most = period_ms, most
        self._recent: dict[tuple[str, str], Answer] = {}
        self._old: dict[tuple[str, str], Answer] = {}
        self._turn: int | None = None
        self.cut_short = 0

    def find(self, now_ms: int, key: tuple[str, str]) -> Grant | None:
        """With the time that is left of it."""
        self._take_turns(now_ms)
        answer = self._recent.get(key) or self._old.get(key)
        if answer is None:
            return None
        return Grant(amount=answer.amount, valid_ms=max(answer.until_ms - now_ms, 0))

    def keep(self, now_ms: int, key: tuple[str, str], grant: Grant) -> None:
        self._take_turns(now_ms)
        if len(self._recent) >= self._most:
            self._old, self._recent = self._recent, {}
            self.cut_short += 1
        self._recent[key] = Answer(amount=grant.amount, until_ms=now_ms + grant.valid_ms)

    def _take_turns(self, now_ms: int) -> None:
        """Turns are counted from the first charge on."""
        if self._turn is None:
            self._turn = now_ms + self._period
        elif now_ms >= self._turn:
            skipped = (now_ms - self._turn) // self._period
            self._old, self._recent = ({} if skipped else self._recent), {}
            self._turn += (skipped + 1) * self._period
