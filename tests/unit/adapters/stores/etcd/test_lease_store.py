"""The contract of every LeaseStore, and that control planes hear of each other's nodes."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from proa.adapters.stores.etcd.blobs import PART
from proa.ports.lease_store import Lease, LeaseStore
from tests.contracts.lease_store import FIRST, LATER, OTHER, LeaseStoreContract, Opened
from tests.unit.adapters.stores.etcd.conftest import Open


class TestEtcdLeaseStore(LeaseStoreContract):
    @pytest.fixture
    def open_lease_store(self, open_shared: Open) -> Callable[[], Opened]:
        @asynccontextmanager
        async def open_lease_store() -> AsyncIterator[LeaseStore]:
            async with open_shared() as stores:
                yield stores.leases

        return open_lease_store


def test_leases_of_others_are_watched(open_shared: Open) -> None:
    async def body() -> None:
        async with asyncio.timeout(60), open_shared() as one, open_shared() as other:
            watch = other.leases.watch_leases()
            assert await anext(watch) == ()
            await one.leases.put_lease(FIRST)
            assert await anext(watch) == (FIRST,)
            await one.leases.put_lease(LATER)
            assert await anext(watch) == (LATER,)
            await one.leases.put_lease(OTHER)
            assert await anext(watch) == (LATER, OTHER)
            await one.leases.remove_lease("a")
            assert await anext(watch) == (OTHER,)

    asyncio.run(body())


def test_a_node_may_run_more_than_a_request_holds(open_shared: Open) -> None:
    """And what took the place of a large state leaves no parts of it behind."""
    noise = random.Random(2)
    large = Lease(node="a", state=noise.randbytes(3 * PART), time=1.0)

    async def body() -> None:
        async with asyncio.timeout(60), open_shared() as one, open_shared() as other:
            await one.leases.put_lease(large)
            assert await other.leases.leases() == (large,)
            await one.leases.put_lease(FIRST)
            assert await other.leases.leases() == (FIRST,)
            assert [await one.sweep(), await one.sweep()] == [0, 0]

    asyncio.run(body())
