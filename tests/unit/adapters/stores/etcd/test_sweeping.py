"""What writers left that ended in the middle goes; what is in use, or may be, stays."""

import asyncio
import random

from proa.adapters.stores.etcd import parse_store_address
from proa.adapters.stores.etcd.blobs import PART, PARTS, Blobs
from proa.adapters.stores.etcd.client import Etcd, opened
from proa.adapters.stores.etcd.sweeping import Sweeper

NOISE = random.Random(3).randbytes(2 * PART)


async def parts(etcd: Etcd) -> int:
    return (await etcd.all_of(PARTS, keys_only=True)).count


def test_parts_of_an_entry_that_somebody_else_wrote_go_at_once(address: str) -> None:
    async def body() -> None:
        async with opened(parse_store_address(address)) as etcd:
            blobs, sweeper = Blobs(etcd), Sweeper(etcd)
            key = "log/000000000001"
            await blobs.fold(key, NOISE)  # and then its writer died
            assert await parts(etcd) == 3
            assert await sweeper.sweep() == 0, "nobody has that number yet: it may still be on its way"
            winner = await blobs.fold(key, NOISE)
            assert await etcd.settle(key, winner, modified=0)
            assert await sweeper.sweep() == 3
            assert await blobs.unfold(key, winner) == NOISE
            assert await sweeper.sweep() == 0

    asyncio.run(body())


def test_parts_of_a_lease_go_when_they_are_still_nobodys_at_the_next_look(address: str) -> None:
    async def body() -> None:
        async with opened(parse_store_address(address)) as etcd:
            blobs, sweeper = Blobs(etcd), Sweeper(etcd)
            key = "leases/node"
            value = await blobs.fold(key, NOISE)
            assert await sweeper.sweep() == 0, "it may be written the next moment"
            assert await etcd.settle(key, value, modified=0)
            assert await sweeper.sweep() == 0
            await blobs.fold(key, NOISE)
            assert [await sweeper.sweep(), await sweeper.sweep()] == [0, 3]
            assert await blobs.unfold(key, value) == NOISE

    asyncio.run(body())
