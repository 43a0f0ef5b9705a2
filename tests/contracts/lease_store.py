"""What every LeaseStore must do. An adapter's test subclasses LeaseStoreContract and says how to make one."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from proa.ports.lease_store import Lease, LeaseStore

FIRST = Lease(node="a", state=b'{"version": 1}', time=10.0)
LATER = Lease(node="a", state=b"\x00\xff", time=20.5)
OTHER = Lease(node="b", state=b"", time=11.0)


Opened = AbstractAsyncContextManager[LeaseStore]


class LeaseStoreContract:
    """Subclasses give the fixture `open_lease_store`; each opening finds what the last one left."""

    def test_the_last_word_of_a_node_counts(self, open_lease_store: Callable[[], Opened]) -> None:
        async def body() -> None:
            async with open_lease_store() as store:
                assert await store.leases() == ()
                for lease in (OTHER, FIRST, LATER):
                    await store.put_lease(lease)
            async with open_lease_store() as store:
                assert await store.leases() == (LATER, OTHER)

        asyncio.run(body())

    def test_a_lease_is_removed_once(self, open_lease_store: Callable[[], Opened]) -> None:
        async def body() -> None:
            async with open_lease_store() as store:
                await store.put_lease(FIRST)
                assert await store.remove_lease("a")
                assert not await store.remove_lease("a")
                assert await store.leases() == ()

        asyncio.run(body())

    def test_a_lease_that_changed_is_not_removed_for_what_it_was(
        self, open_lease_store: Callable[[], Opened]
    ) -> None:
        async def body() -> None:
            async with open_lease_store() as store:
                await store.put_lease(FIRST)
                await store.put_lease(LATER)
                assert not await store.remove_lease("a", FIRST.state)
                assert await store.leases() == (LATER,)
                assert await store.remove_lease("a", LATER.state)
                assert not await store.remove_lease("a", LATER.state)

        asyncio.run(body())
