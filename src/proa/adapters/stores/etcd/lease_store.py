"""Leases in etcd. A lease here is Proa's: a node's last word, kept until it is removed, and no lease of etcd's."""

from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from proa.adapters.stores.etcd.blobs import Blobs
from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.following import Bells, Mirror
from proa.adapters.stores.etcd.wire import Compare, DeleteKey, KeyValue, Range
from proa.ports.failures import StoreTemporary
from proa.ports.lease_store import Lease

LEASES: Final = "leases/"
TRIES: Final = 20


class EtcdLeaseStore:
    """Keeps the contract of ports.lease_store.SharedLeaseStore; made by `open_etcd_stores`."""

    def __init__(self, etcd: Etcd, bells: Bells) -> None:
        self._etcd = etcd
        self._bells = bells
        self._blobs = Blobs(etcd)
        self._mirror = Mirror(etcd, LEASES)
        self._read: dict[str, tuple[int, Lease]] = {}

    async def leases(self) -> tuple[Lease, ...]:
        """What is known already is not read again: a lease costs its own change."""
        kept = await self._mirror.refresh()
        following: dict[str, tuple[int, Lease]] = {}
        for node, each in kept.items():
            known = self._read.get(node)
            if known is not None and known[0] == each.modified:
                following[node] = known
            elif (lease := await self._unfold(each)) is not None:
                following[node] = (each.modified, lease)
        self._read = following
        return tuple(lease for _, lease in following.values())

    async def put_lease(self, lease: Lease) -> None:
        key = LEASES + lease.node
        body = msgspec.json.encode(lease)
        for _ in range(TRIES):
            kept = (await self._etcd.find(Range(key=key))).values
            value = await self._blobs.fold(key, body)
            if await self._etcd.settle(key, value, modified=kept[0].modified if kept else 0):
                if kept:
                    await self._blobs.discard(key, kept[0].value)
                return
            await self._blobs.discard(key, value)
        raise StoreTemporary(f"{self._etcd.label}: others keep changing the lease of node {lease.node}")

    async def remove_lease(self, node: str, state: bytes | None = None) -> bool:
        key = LEASES + node
        for _ in range(TRIES):
            kept = (await self._etcd.find(Range(key=key))).values
            if not kept:
                return False
            if state is not None:
                lease = await self._unfold(kept[0])
                if lease is not None and lease.state != state:
                    return False
            compare = Compare(key=key, modified=kept[0].modified)
            if (await self._etcd.commit((compare,), (DeleteKey(key=key),))).succeeded:
                await self._blobs.discard(key, kept[0].value)
                return True
        raise StoreTemporary(f"{self._etcd.label}: others keep changing the lease of node {node}")

    async def watch_leases(self) -> AsyncGenerator[tuple[Lease, ...]]:
        async for leases in self._bells.follow((LEASES,), self.leases):
            yield leases

    async def _unfold(self, kept: KeyValue) -> Lease | None:
        """None when another one took its place while it was read; that one rings a bell."""
        body = await self._blobs.unfold(LEASES + kept.key.removeprefix(LEASES), kept.value)
        return None if body is None else msgspec.json.decode(body, type=Lease)
