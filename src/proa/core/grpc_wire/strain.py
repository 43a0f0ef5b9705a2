"""How much of what costs us and brings nothing a peer may do: a bucket that leaks.

Pings, settings, resets, frames without content: each is legal, a flood of them is an attack (CVE-2019-9512, -9514,
-9515, -9518; CVE-2023-44487, "rapid reset").
"""

from typing import Final

CAPACITY: Final = 2_000
"""A host that loses its agent resets all its streams at once."""
PER_SECOND: Final = 200


class Strain:
    def __init__(self, capacity: float = CAPACITY, per_second: float = PER_SECOND) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._level = 0.0
        self._at = 0.0

    def add(self, cost: float, now: float) -> bool:
        """Whether that is still borne. `now` is monotonic, in seconds."""
        self._level = max(0.0, self._level - (now - self._at) * self._per_second) + cost
        self._at = now
        return self._level <= self._capacity
