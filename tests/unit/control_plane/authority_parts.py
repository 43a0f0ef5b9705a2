"""What an authority is made of in tests: a key store in memory, a clock that stands until it is set, counted keys."""

import itertools

from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.keyring import Keyring
from proa.core.auth.ca import Ca
from tests.unit.core.auth.authorities import NOW, TRUST_DOMAIN, key


class Parts:
    def __init__(self, keys: MemoryKeyStore | None = None) -> None:
        self.keys = keys or MemoryKeyStore()
        self.now = NOW
        self._drawn = itertools.count(1)
        self._made = itertools.count(3000)

    def clock(self) -> float:
        return self.now

    def entropy(self, size: int) -> bytes:
        return next(self._drawn).to_bytes(size - 1, "big") + b"\x80"

    async def keyring(self, *, is_leader: bool = True, plugged: Ca | None = None) -> Keyring:
        return await Keyring.open(
            trust_domain=TRUST_DOMAIN,
            keys=self.keys,
            clock=self.clock,
            entropy=self.entropy,
            new_key=lambda: key(next(self._made)),
            is_leader=lambda: is_leader,
            plugged=plugged,
        )
