"""The contract of every KeyStore; that etcd sees no key; and that only a leader replaces one."""

import asyncio
import os
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from proa.adapters.stores.etcd import parse_store_address
from proa.adapters.stores.etcd.client import opened
from proa.adapters.stores.etcd.key_store import EtcdKeyStore, NotLeading
from proa.adapters.stores.etcd.sealing import Seal, read_seal_key
from proa.adapters.stores.etcd.wire import Compare
from proa.ports.failures import StorePermanent
from proa.ports.key_store import KeyEntry
from tests.contracts.key_store import FIRST, SECOND, KeyStoreContract
from tests.etcd_process import EtcdProcess

T = TypeVar("T")
SEAL = Seal(b"s" * 32)


class Opening:
    """A KeyStore that opens its etcd for each call: the contract's tests have a loop each and one store."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def _do(self, work: Callable[[EtcdKeyStore], Awaitable[T]]) -> T:
        async with opened(parse_store_address(self._address)) as etcd:
            return await work(EtcdKeyStore(etcd, SEAL))

    async def load(self, name: str) -> KeyEntry | None:
        return await self._do(lambda store: store.load(name))

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        return await self._do(lambda store: store.create(name, entry))

    async def replace(self, name: str, entry: KeyEntry) -> None:
        await self._do(lambda store: store.replace(name, entry))

    async def remove(self, name: str) -> bool:
        return await self._do(lambda store: store.remove(name))

    async def names(self) -> tuple[str, ...]:
        return await self._do(lambda store: store.names())


class TestEtcdKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self, address: str) -> Opening:
        return Opening(address)


def test_etcd_holds_no_key_in_clear(address: str, etcd: EtcdProcess) -> None:
    asyncio.run(Opening(address).create("root", FIRST))
    prefix = parse_store_address(address).prefix
    kept = etcd.etcdctl("get", "--prefix", prefix)
    assert f"{prefix}keys/root" in kept
    for secret in ("PRIVATE", "Zmlyc3Q", b64encode(FIRST.key_pem.encode()).decode()[:20]):
        assert secret not in kept


def test_an_entry_is_bound_to_its_name(address: str, etcd: EtcdProcess) -> None:
    async def body() -> None:
        store = Opening(address)
        await store.create("root", FIRST)
        await store.create("intermediate", SECOND)
        async with opened(parse_store_address(address)) as client:
            found = (await client.all_of("keys/")).values
            await client.put("keys/root", found[0].value)
        with pytest.raises(StorePermanent, match="was changed after it was sealed"):
            await store.load("root")

    asyncio.run(body())


def test_another_seal_is_named(address: str) -> None:
    async def body() -> None:
        await Opening(address).create("root", FIRST)
        async with opened(parse_store_address(address)) as client:
            with pytest.raises(StorePermanent, match="needs the same --seal-key-file"):
                await EtcdKeyStore(client, Seal(b"t" * 32)).load("root")

    asyncio.run(body())


def test_only_a_leader_replaces(address: str) -> None:
    """Whose fence does not hold any more finds out when he writes, and has written nothing."""
    fences: list[Compare | None] = []

    async def body() -> None:
        async with opened(parse_store_address(address)) as client:
            store = EtcdKeyStore(client, SEAL, lambda: fences[0])
            fences[:] = [None]
            await store.create("root", FIRST)
            with pytest.raises(NotLeading):
                await store.replace("root", SECOND)
            await client.put("leader", b"me")
            created = (await client.all_of("leader")).values[0].created
            fences[:] = [Compare(key="leader", created=created)]
            await store.replace("root", SECOND)
            await client.delete("leader")
            await client.put("leader", b"somebody else")
            with pytest.raises(NotLeading):
                await store.replace("root", FIRST)
            assert await store.load("root") == SECOND

    asyncio.run(body())


def test_a_seal_key_is_its_owners_alone_and_long_enough(tmp_path: Path) -> None:
    file = tmp_path / "seal"
    with pytest.raises(StorePermanent, match="cannot be read"):
        read_seal_key(file)
    file.write_text("aGVsbG8=\n")
    file.chmod(0o600)
    with pytest.raises(StorePermanent, match="openssl rand"):
        read_seal_key(file)
    file.write_bytes(b64encode(os.urandom(32)) + b"\n")
    sealed = read_seal_key(file).close("name", b"text", os.urandom)
    assert read_seal_key(file).open("name", sealed) == b"text"
    file.chmod(0o640)
    with pytest.raises(StorePermanent, match="chmod 600"):
        read_seal_key(file)
