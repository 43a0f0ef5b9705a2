"""Who starts tasks ends with them."""

import asyncio

import pytest

from proa.runtime.supervise import EndedEarly, Supervisor


async def forever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    return


async def failing() -> None:
    raise ValueError("no")


def test_stop_ends_what_would_run_on() -> None:
    async def scenario() -> None:
        async with Supervisor() as tasks:
            tasks.keep("one", forever())
            tasks.run("two", at_once())
            await asyncio.sleep(0)
            tasks.stop()

    asyncio.run(scenario())


def test_a_task_that_must_run_on_and_ends_is_an_error() -> None:
    async def scenario() -> None:
        async with Supervisor() as tasks:
            tasks.keep("short", at_once())
            await forever()

    with pytest.raises(EndedEarly, match="short"):
        asyncio.run(scenario())


def test_one_failure_ends_all_and_is_raised_alone() -> None:
    async def scenario() -> None:
        async with Supervisor() as tasks:
            tasks.keep("kept", forever())
            tasks.run("failing", failing())

    with pytest.raises(ValueError, match="no"):
        asyncio.run(scenario())


def test_what_was_never_begun_ends_without_a_warning() -> None:
    async def scenario() -> None:
        async with Supervisor() as tasks:
            tasks.keep("unbegun", forever())
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(scenario())
