"""Control planes among each other: they see who is there, hear each other, and one of them leads."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from proa.adapters.stores.etcd.membership import EtcdMembership
from proa.ports.membership import Member, Members
from proa.runtime.polling import poll
from proa.testing.faults import paused
from tests.etcd_process import EtcdProcess
from tests.unit.adapters.stores.etcd.conftest import Open

PATIENCE = 60.0


@asynccontextmanager
async def running(open_shared: Open, name: str) -> AsyncIterator[EtcdMembership]:
    me = Member(name=name, xds=f"127.0.0.1:{len(name)}", join="127.0.0.1:2")
    async with open_shared() as stores:
        membership = stores.membership(me, time.time, time.monotonic)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(membership.run())
            yield membership
            task.cancel()


async def seen(membership: EtcdMembership, holds: Callable[[Members], bool]) -> Members:
    async for members in membership.watch():
        if holds(members):
            return members
    raise AssertionError("the watch ended")


def _says(word: bytes, members: Members) -> bool:
    return word in [each.said for each in members.present]


async def leading(membership: EtcdMembership) -> None:
    """Etcd may tell who leads before it has answered the one who does."""
    await poll(lambda: _true(membership.leads), 0.05, lambda: True)


async def _true(value: bool) -> bool:
    return value


def test_one_leads_and_when_it_leaves_another_does(open_shared: Open) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), running(open_shared, "one") as one:
            await seen(one, lambda members: members.leader == "one")
            await leading(one)
            async with running(open_shared, "other") as other:
                both = await seen(other, lambda members: len(members.present) == 2)
                assert both.leader == "one"
                assert not other.leads
                assert [each.name for each in both.present] == ["one", "other"]
                assert both.servers == ("127.0.0.1:3", "127.0.0.1:5")
            alone = await seen(one, lambda members: len(members.present) == 1)
            assert alone.servers == both.servers, "where one was lately, one may be again"
        async with asyncio.timeout(PATIENCE), running(open_shared, "third") as third:
            await seen(third, lambda members: members.leader == "third")
            await leading(third)
            assert third.fence is not None

    asyncio.run(body())


def test_what_one_says_the_others_hear(open_shared: Open) -> None:
    async def body() -> None:
        async with (
            asyncio.timeout(PATIENCE),
            running(open_shared, "one") as one,
            running(open_shared, "other") as other,
        ):
            for word in (b"first", b"second"):
                one.say(word)
                await seen(other, functools.partial(_says, word))

    asyncio.run(body())


def test_a_leader_that_cannot_reach_etcd_stops_leading_first(open_shared: Open, etcd: EtcdProcess) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), running(open_shared, "one") as one:
            await leading(one)
            with paused(etcd.pid):
                await poll(lambda: _true(not one.leads), 0.05, lambda: True)
                assert one.fence is None
            await leading(one)

    asyncio.run(body())
