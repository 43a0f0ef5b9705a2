"""So many at once, so many waiting, no more."""

import asyncio

import pytest

from proa.servers.admin.turns import Busy, Turns


def test_the_first_go_the_next_wait_the_rest_are_told() -> None:
    async def scene() -> None:
        told: list[str] = []
        turns = Turns("changes", at_once=2, waiting=1, refused=told.append)
        done, both, running = asyncio.Event(), asyncio.Event(), 0

        async def change() -> None:
            nonlocal running
            async with turns:
                running += 1
                if running == 2:
                    both.set()
                await done.wait()

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(change())
            await both.wait()
            assert (running, turns.here) == (2, 3)
            with pytest.raises(Busy, match="3 changes at the same time are too many"):
                await change()
            assert told == ["changes at once"]
            done.set()
        assert (running, turns.here) == (3, 0)

    asyncio.run(scene())


def test_who_gives_up_waiting_leaves_no_gap() -> None:
    async def scene() -> None:
        turns = Turns("changes", at_once=1, waiting=1)
        async with asyncio.timeout(60), turns:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0), turns:
                    pytest.fail("there was no turn")
            assert turns.here == 1
        async with turns:
            assert turns.here == 1

    asyncio.run(scene())
