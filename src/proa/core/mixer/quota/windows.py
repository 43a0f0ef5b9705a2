"""How much of a limit is left: windows that roll by slots, windows that begin with their first charge, plain counters.

Each is the state of one cell (one limit, or one set of dimensions). Its owner hands in the time, in milliseconds of any
clock; a time before the last one counts as the last one. `maximum` is an argument of each charge, because a limit may
change while its window is open: what was granted stays granted.

redisquota's script does in Redis what FixedWindow and RollingWindow do here; a contract holds them together.
"""

from collections import deque
from typing import Final, Protocol

SLOT_MS: Final = 100
"""memquota's slots."""


class Window(Protocol):
    """The state of one cell. Amounts are not negative. Those of memquota can `give_back` too: it answers how much that
    was, at most what was in use."""

    def charge(self, now_ms: int, maximum: int, amount: int, best_effort: bool) -> int:
        """What is granted: all of `amount`, or with `best_effort` what there is, or 0."""

    def valid_ms(self, now_ms: int) -> int:
        """How long what is granted now is good for; 0: until it is given back."""

    def used(self, now_ms: int) -> int:
        """Of what was granted, what has not come back."""

    def wait_ms(self, now_ms: int, maximum: int, amount: int) -> int | None:
        """When `amount` would be granted if nobody else asked; None: not by waiting."""

    def is_empty(self, now_ms: int) -> bool:
        """A new one would answer the same from now on."""


def granted(left: int, amount: int, best_effort: bool) -> int:
    """The one rule of all windows. A limit that shrank may have less than nothing left."""
    if amount <= left:
        return amount
    return max(left, 0) if best_effort else 0


def slots_of(window_ms: int) -> int:
    """How long a window of memquota is: whole seconds, as it was, so that half a second is counted as one."""
    return -(-window_ms // 1000) * 1000


class Counter:
    """Nothing comes back by itself."""

    __slots__ = ("_used",)

    def __init__(self) -> None:
        self._used = 0

    def charge(self, now_ms: int, maximum: int, amount: int, best_effort: bool) -> int:
        given = granted(maximum - self._used, amount, best_effort)
        self._used += given
        return given

    def give_back(self, now_ms: int, amount: int) -> int:
        given = min(amount, self._used)
        self._used -= given
        return given

    def valid_ms(self, now_ms: int) -> int:
        return 0

    def used(self, now_ms: int) -> int:
        return self._used

    def wait_ms(self, now_ms: int, maximum: int, amount: int) -> int | None:
        return 0 if self._used + amount <= maximum else None

    def is_empty(self, now_ms: int) -> bool:
        return self._used == 0


class RollingWindow:
    """Amounts are kept by slots and come back `length_ms` after their slot began. In any span of length_ms - slot_ms
    no more than the maximum is granted.

    `aligned` slots begin at multiples of `slot_ms` (memquota's), others with the first charge in them (redisquota's).
    """

    __slots__ = ("_aligned", "_length", "_now", "_slot", "_slots", "_used", "_valid")

    def __init__(self, length_ms: int, slot_ms: int, *, aligned: bool, valid_ms: int | None = None) -> None:
        assert 0 < slot_ms < length_ms
        self._length, self._slot, self._aligned = length_ms, slot_ms, aligned
        self._valid = length_ms if valid_ms is None else valid_ms
        self._slots: deque[tuple[int, int]] = deque()
        """Begin and amount, the oldest first."""
        self._used = 0
        self._now = 0

    def charge(self, now_ms: int, maximum: int, amount: int, best_effort: bool) -> int:
        self._roll(now_ms)
        given = granted(maximum - self._used, amount, best_effort)
        if given:
            self._add(given)
        return given

    def _roll(self, now_ms: int) -> None:
        self._now = now = max(self._now, now_ms)
        while self._slots and self._slots[0][0] + self._length <= now:
            self._used -= self._slots.popleft()[1]

    def _add(self, amount: int) -> None:
        begin = self._now - self._now % self._slot if self._aligned else self._now
        if self._slots and self._now < self._slots[-1][0] + self._slot:
            last, before = self._slots.pop()
            self._slots.append((last, before + amount))
        else:
            self._slots.append((begin, amount))
        self._used += amount

    def give_back(self, now_ms: int, amount: int) -> int:
        """Of the newest slots first."""
        self._roll(now_ms)
        left = amount
        while left and self._slots:
            begin, used = self._slots.pop()
            taken = min(left, used)
            left -= taken
            if used > taken:
                self._slots.append((begin, used - taken))
        self._used -= amount - left
        return amount - left

    def valid_ms(self, now_ms: int) -> int:
        return self._valid

    def used(self, now_ms: int) -> int:
        self._roll(now_ms)
        return self._used

    def wait_ms(self, now_ms: int, maximum: int, amount: int) -> int | None:
        """Until enough of the oldest slots are over."""
        missing = self.used(now_ms) + amount - maximum
        if missing <= 0:
            return 0
        for begin, held in self._slots:
            missing -= held
            if missing <= 0:
                return begin + self._length - self._now
        return None

    def is_empty(self, now_ms: int) -> bool:
        self._roll(now_ms)
        return not self._slots


class FixedWindow:
    """Opens with the first charge, lasts `length_ms`; then all comes back at once."""

    __slots__ = ("_end", "_length", "_now", "_used")

    def __init__(self, length_ms: int) -> None:
        self._length = length_ms
        self._end = 0
        self._used = 0
        self._now = 0

    def charge(self, now_ms: int, maximum: int, amount: int, best_effort: bool) -> int:
        self._roll(now_ms)
        if not self._end:
            self._end = self._now + self._length
        given = granted(maximum - self._used, amount, best_effort)
        self._used += given
        return given

    def _roll(self, now_ms: int) -> None:
        self._now = max(self._now, now_ms)
        if self._now >= self._end:
            self._end, self._used = 0, 0

    def valid_ms(self, now_ms: int) -> int:
        """To the window's end."""
        self._roll(now_ms)
        return self._end - self._now if self._end else self._length

    def used(self, now_ms: int) -> int:
        self._roll(now_ms)
        return self._used

    def wait_ms(self, now_ms: int, maximum: int, amount: int) -> int | None:
        if self.used(now_ms) + amount <= maximum:
            return 0
        return self._end - self._now if amount <= maximum else None

    def is_empty(self, now_ms: int) -> bool:
        self._roll(now_ms)
        return not self._end
