"""KeptKeys in etcd: what one control plane fetched is there for all of them, also for one that starts while the issuer
is away. A set has 64 KiB at most, so each is one value."""

import hashlib
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

import msgspec
from immutables import Map

from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.following import Bells, Mirror
from proa.core.auth.key_sets import BadAnswer, read_key_set
from proa.core.model.token_keys import KeySource
from proa.ports.failures import StoreFailure
from proa.ports.token_keys import KeptSet

TOKEN_KEYS: Final = "token-keys/"

log = logging.getLogger("proa.adapters.etcd")


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    source: KeySource
    kept: KeptSet


class EtcdTokenKeys:
    """Keeps the contract of ports.token_keys.KeptKeys; made by `open_etcd_stores`."""

    def __init__(self, etcd: Etcd, bells: Bells) -> None:
        self._etcd = etcd
        self._bells = bells
        self._mirror = Mirror(etcd, TOKEN_KEYS)

    async def load(self) -> Mapping[KeySource, KeptSet]:
        try:
            return await self._look()
        except StoreFailure as error:
            log.warning("no keys of tokens are read from the store, they are fetched anew: %s", error)
            return Map()

    async def keep(self, source: KeySource, kept: KeptSet) -> None:
        try:
            await self._etcd.put(_key(source), msgspec.json.encode(_Value(source=source, kept=kept)))
        except StoreFailure as error:
            log.warning("the keys of %s are not kept for the other control planes: %s", source, error)

    async def forget(self, source: KeySource) -> None:
        try:
            await self._etcd.delete(_key(source))
        except StoreFailure as error:
            log.warning("the keys of %s are not taken away: %s", source, error)

    async def watch(self) -> AsyncGenerator[Mapping[KeySource, KeptSet]]:
        async with aclosing(self._bells.follow((TOKEN_KEYS,), self._look)) as every:
            async for found in every:
                yield found

    async def _look(self) -> Map[KeySource, KeptSet]:
        found: dict[KeySource, KeptSet] = {}
        for each in (await self._mirror.refresh()).values():
            try:
                read = msgspec.json.decode(each.value, type=_Value)
                read_key_set(read.kept.keys.encode())
                found[read.source] = read.kept
            except (msgspec.DecodeError, BadAnswer) as error:
                log.warning("%s in the store is not read, the keys are fetched anew: %s", each.key, error)
        return Map(found)


def _key(source: KeySource) -> str:
    return TOKEN_KEYS + hashlib.sha256(msgspec.json.encode(source)).hexdigest()[:32]
