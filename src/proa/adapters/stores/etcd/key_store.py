"""The KeyStore over etcd: every entry sealed, so that etcd, its disks, its backups and its other users hold no key."""

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.sealing import Seal
from proa.adapters.stores.etcd.wire import Compare, Range
from proa.ports.failures import StoreTemporary
from proa.ports.key_store import KeyEntry, checked_name

KEYS: Final = "keys/"
TRIES: Final = 20


class NotLeading(StoreTemporary):
    """A key was to be replaced by a control plane that does not lead (any more)."""


class EtcdKeyStore:
    """Keeps the contract of ports.key_store.KeyStore. `fence`, when given, is what must hold in etcd at the moment a
    key is replaced, None while that cannot be: a leader that lost its lease without knowing writes nothing."""

    def __init__(self, etcd: Etcd, seal: Seal, fence: Callable[[], Compare | None] | None = None) -> None:
        self._etcd = etcd
        self._seal = seal
        self._fence = fence

    def fenced_by(self, fence: Callable[[], Compare | None]) -> None:
        """From now on."""
        self._fence = fence

    async def load(self, name: str) -> KeyEntry | None:
        key = KEYS + checked_name(name)
        found = (await self._etcd.find(Range(key=key))).values
        return self._opened(key, found[0].value) if found else None

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        key = KEYS + checked_name(name)
        for _ in range(TRIES):
            if await self._etcd.settle(key, self._sealed(key, entry), modified=0):
                return entry
            kept = await self.load(name)
            if kept is not None:
                return kept
        raise StoreTemporary(f"{self._etcd.label}: {key} comes and goes")

    async def replace(self, name: str, entry: KeyEntry) -> None:
        key = KEYS + checked_name(name)
        value = self._sealed(key, entry)
        for _ in range(TRIES):
            given = self._given(name)
            found = (await self._etcd.find(Range(key=key))).values
            modified = found[0].modified if found else 0
            if await self._etcd.settle(key, value, modified=modified, given=given):
                return
        raise NotLeading(
            f"{self._etcd.label}: others keep changing {key}, or another control plane leads by now"
        )

    async def remove(self, name: str) -> bool:
        key = KEYS + checked_name(name)
        self._given(name)
        return await self._etcd.delete(key)

    async def names(self) -> tuple[str, ...]:
        found = await self._etcd.all_of(KEYS, keys_only=True)
        return tuple(sorted(each.key.removeprefix(KEYS) for each in found.values))

    def _given(self, name: str) -> tuple[Compare, ...]:
        if self._fence is None:
            return ()
        fence = self._fence()
        if fence is None:
            raise NotLeading(f"another control plane leads: {name} is its to replace")
        return (fence,)

    def _sealed(self, key: str, entry: KeyEntry) -> bytes:
        return self._seal.close(self._etcd.prefix + key, msgspec.json.encode(entry), secrets.token_bytes)

    def _opened(self, key: str, value: bytes) -> KeyEntry:
        return msgspec.json.decode(self._seal.open(self._etcd.prefix + key, value), type=KeyEntry)
