import asyncio
import threading

import pytest

from proa.runtime.lane import Lane, LaneFull


def nothing() -> None:
    pass


def test_pieces_are_done_in_order_off_the_loop() -> None:
    done: list[str] = []

    def piece(name: str) -> None:
        assert threading.current_thread() is not threading.main_thread()
        done.append(name)

    async def body() -> None:
        lane = Lane("test", most_waiting=100)
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(lane.run(lambda name=str(number): piece(name), 1))  # type: ignore[misc]
        await lane.close(lambda: piece("last"))

    asyncio.run(body())
    assert done == [*map(str, range(20)), "last"]


def test_what_a_piece_raises_comes_back_and_the_next_is_done() -> None:
    def bad() -> None:
        raise OSError("the disk is full")

    async def body() -> None:
        lane = Lane("test", most_waiting=1)
        with pytest.raises(OSError, match="the disk is full"):
            await lane.run(bad, 1)
        await lane.run(nothing, 1)
        await lane.close(nothing)

    asyncio.run(body())


def test_a_full_lane_takes_nothing_and_has_room_again() -> None:
    goes_on, began = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        goes_on.wait(60)

    async def body() -> None:
        lane = Lane("test", most_waiting=10)
        async with asyncio.TaskGroup() as group:
            group.create_task(lane.run(slow, 20))  # one alone may be heavier
            await asyncio.to_thread(began.wait, 60)
            with pytest.raises(LaneFull, match="too much"):
                await lane.run(nothing, 1)
            goes_on.set()
        await lane.run(nothing, 1)
        await lane.close(nothing)
        with pytest.raises(LaneFull, match="closed"):
            await lane.run(nothing, 1)

    asyncio.run(body())


def test_who_is_cancelled_takes_back_what_has_not_begun() -> None:
    goes_on, began = threading.Event(), threading.Event()
    done: list[str] = []

    def slow() -> None:
        began.set()
        goes_on.wait(60)
        done.append("slow")

    async def body() -> None:
        lane = Lane("test", most_waiting=10)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(lane.run(slow, 1))
            await asyncio.to_thread(began.wait, 60)
            second = group.create_task(lane.run(lambda: done.append("never"), 1))
            await asyncio.sleep(0)
            first.cancel()
            second.cancel()
        goes_on.set()
        await lane.close(lambda: done.append("last"))

    asyncio.run(body())
    assert done == ["slow", "last"]


def test_a_piece_that_hangs_keeps_nobody_from_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proa.runtime.lane._CLOSING_S", 0.05)
    goes_on, began = threading.Event(), threading.Event()

    def hangs() -> None:
        began.set()
        goes_on.wait(60)

    async def body() -> None:
        lane = Lane("test", most_waiting=10)
        async with asyncio.TaskGroup() as group:
            hung = group.create_task(lane.run(hangs, 1))
            await asyncio.to_thread(began.wait, 60)
            await lane.close(nothing)
            hung.cancel()
        goes_on.set()

    asyncio.run(body())
