"""The contract of every ConfigStore, and what several control planes on one log see of each other."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from proa.adapters.stores.etcd.blobs import SMALL
from proa.core.model.names import ObjectRef
from proa.ports.config_store import Applied, ConfigStore
from tests.contracts.config_store import PATIENCE, A, B, ConfigStoreContract, Opened, applied, change, put
from tests.etcd_process import EtcdProcess
from tests.unit.adapters.stores.etcd.conftest import Open


class TestEtcdConfigStore(ConfigStoreContract):
    @pytest.fixture
    def open_store(self, open_shared: Open) -> Callable[[], Opened]:
        @asynccontextmanager
        async def open_store() -> AsyncIterator[ConfigStore]:
            async with open_shared() as stores:
                yield stores.config

        return open_store


def test_what_one_applies_arrives_at_the_other(open_shared: Open) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), open_shared() as one, open_shared() as other:
            watch = other.config.watch()
            assert (await anext(watch)).version == 0
            await applied(one.config, change(put(A, '{"a":1}')))
            assert (await anext(watch)).objects[A].manifest == '{"a":1}'
            await applied(other.config, change(put(A, '{"a":2}'), put(B)))
            assert await one.config.state() == await other.config.state()
            assert [each.version for each in await one.config.history(A)] == [2, 1]

    asyncio.run(body())


def test_all_changes_of_many_writers_are_kept(open_shared: Open) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), open_shared() as one, open_shared() as other:
            async with asyncio.TaskGroup() as tasks:
                for number in range(10):
                    for store in (one.config, other.config):
                        manifest = f'{{"{id(store)}":{number}}}'
                        tasks.create_task(store.apply(change(put(A, manifest))))
            assert (await one.config.state()).version == 20
            assert await one.config.state() == await other.config.state()

    asyncio.run(body())


def test_a_transaction_may_be_larger_than_a_request(open_shared: Open, etcd: EtcdProcess) -> None:
    """More objects than etcd takes operations, and, as they cannot be compressed, more bytes than it takes at once."""
    noise = random.Random(1)
    puts = [
        put(
            ObjectRef("VirtualService", "default", f"v{number}"),
            '{"x":"' + noise.randbytes(2000).hex() + '"}',
        )
        for number in range(1500)
    ]

    async def body() -> None:
        async with asyncio.timeout(PATIENCE), open_shared() as one:
            result = await one.config.apply(change(*puts))
            assert isinstance(result, Applied)
            assert len(puts) * 2000 > 10 * SMALL
            async with open_shared() as other:
                state = await other.config.state()
                assert state == await one.config.state()
                assert len(state.objects) == len(puts)
            assert await one.sweep() == 0, "what is in use is not swept"
            assert len((await one.config.state()).objects) == len(puts)

    asyncio.run(body())


def test_a_compacted_etcd_costs_nothing(open_shared: Open, etcd: EtcdProcess) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), open_shared() as one:
            await applied(one.config, change(put(A)))
            await applied(one.config, change(put(A, '{"a":2}')))
            async with open_shared() as other:
                watch = other.config.watch()
                assert (await anext(watch)).version == 2
                await asyncio.to_thread(etcd.etcdctl, "compact", str(one.revision))
                await applied(one.config, change(put(B)))
                assert (await anext(watch)).version == 3
                assert await other.config.state_at(1) is not None
                assert len(await other.config.history()) == 3

    asyncio.run(body())
