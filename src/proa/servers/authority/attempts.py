"""How often strangers at one address may try to join. An attempt that succeeds is given back: it cost a token.

One bucket per address (an IPv6 host owns its /64), and a bounded number of them: the address that was quiet longest is
forgotten first.
"""

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

from proa.runtime.bucket import Bucket, Rate

RATE: Final = Rate(per_s=2, burst=64)
ADDRESSES: Final = 1024


class Attempts:
    """`refused` is called for each attempt that may not go on, with the reason."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        rate: Rate = RATE,
        addresses: int = ADDRESSES,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._addresses = addresses
        self._buckets: dict[str, Bucket] = {}
        self._refused = refused

    def wait_s(self, address: str) -> float:
        """Counts an attempt; 0 when it may go on, else the seconds until the next may."""
        now = self._clock()
        place = place_of(address)
        bucket = self._buckets.pop(place, None) or Bucket(self._rate, now)
        if len(self._buckets) >= self._addresses:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[place] = bucket
        if bucket.take(now):
            return 0.0
        self._refused("joins of address")
        return bucket.wait_s(now)

    def succeeded(self, address: str) -> None:
        bucket = self._buckets.get(place_of(address))
        if bucket is not None:
            bucket.give_back()

    @property
    def remembered(self) -> int:
        return len(self._buckets)


def place_of(address: str) -> str:
    """What an address has one bucket with. Whatever is no address shares one."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    if not isinstance(known, IPv6Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(IPv6Network((known, 64), strict=False))
