"""Readers see the latest value, never a queue of old ones."""

import asyncio

from proa.runtime.cell import Cell


def test_an_equal_value_is_no_change() -> None:
    cell = Cell((1, 2))
    assert not cell.set((1, 2))
    assert cell.set((1, 3))
    assert cell.version == 1


def test_who_waits_hears_and_skips_what_was_replaced_meanwhile() -> None:
    async def scenario() -> list[int]:
        cell, seen = Cell(0), list[int]()

        async def read() -> None:
            async for value in cell.follow():
                seen.append(value)
                if value == 3:
                    return

        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(read())
            await asyncio.sleep(0)
            cell.set(1)
            cell.set(2)
            cell.set(3)
            await reader
        return seen

    assert asyncio.run(scenario()) == [0, 3]


def test_until_takes_the_value_held_now() -> None:
    async def scenario() -> int:
        cell = Cell(5)
        return await cell.until(lambda value: value > 4)

    assert asyncio.run(scenario()) == 5


def test_a_cancelled_reader_is_forgotten() -> None:
    async def scenario() -> bool:
        cell = Cell(0)
        task = asyncio.get_running_loop().create_task(cell.changed(0))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        return cell.set(1) and task.cancelled()

    assert asyncio.run(scenario())
