"""A newer store is refused, an older one is brought forward, and foreign keys are left alone."""

import asyncio

import pytest

from proa.adapters.stores.etcd import parse_store_address
from proa.adapters.stores.etcd.client import Etcd, opened
from proa.adapters.stores.etcd.schema import MIGRATIONS, migrate
from proa.ports.failures import StorePermanent


def test_each_migration_runs_once_and_forward(address: str) -> None:
    ran: list[str] = []

    async def first(_etcd: Etcd) -> None:
        ran.append("first")

    async def second(_etcd: Etcd) -> None:
        ran.append("second")

    async def body() -> None:
        async with opened(parse_store_address(address)) as etcd:
            await migrate(etcd, (first,))
            await migrate(etcd, (first,))
            await migrate(etcd, (first, second))
            assert ran == ["first", "second"]
            with pytest.raises(StorePermanent, match="has schema 2, this program knows up to 1"):
                await migrate(etcd, (first,))

    asyncio.run(body())


def test_several_may_start_at_once(address: str) -> None:
    async def body() -> None:
        async with opened(parse_store_address(address)) as one, opened(parse_store_address(address)) as other:
            async with asyncio.TaskGroup() as tasks:
                for etcd in (one, other, one, other):
                    tasks.create_task(migrate(etcd))
            (kept,) = (await one.all_of("schema")).values
            assert kept.value == f'{{"version":{len(MIGRATIONS)}}}'.encode()

    asyncio.run(body())


def test_foreign_keys_are_left_alone(address: str) -> None:
    async def body() -> None:
        async with opened(parse_store_address(address)) as etcd:
            await etcd.put("somebody/else", b"hello")
            with pytest.raises(StorePermanent, match="are not Proa's"):
                await migrate(etcd)

    asyncio.run(body())
