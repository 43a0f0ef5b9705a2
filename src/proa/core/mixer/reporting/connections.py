"""What a connection carried since it was last told of: proxies tell what it carried in all.

A connection's first word is that it is open, and its last that it is closed. Of one that was told of elsewhere before
(the control plane was another, or new) nobody here knows what was counted already: from then on its bytes count, and
none counts twice.
"""

from collections import OrderedDict
from typing import Final, Literal

import msgspec

MOST: Final = 10_000
"""Connections of one workload that are remembered; beyond, the one that was silent for the longest is forgotten."""

Moment = Literal["open", "continue", "close"]


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes since the last report. `is_known` False: some may be missing."""

    received: int
    sent: int
    is_known: bool = True


class Connections:
    """Of one workload, by the proxy's ids of them."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._told: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._told)

    def tell(
        self, connection: str, moment: Moment, received: int, sent: int, *, is_whole: bool = False
    ) -> Carried:
        """`received` and `sent` in all. `is_whole`: this is all that is ever told of it, so nothing was before."""
        before = self._told.pop(connection, None)
        is_known = before is not None or is_whole or moment == "open"
        base = before or ((0, 0) if is_known else (received, sent))
        if moment != "close":
            self._told[connection] = (received, sent)
            if len(self._told) > self._most:
                self._told.popitem(last=False)
        return Carried(received=max(0, received - base[0]), sent=max(0, sent - base[1]), is_known=is_known)
