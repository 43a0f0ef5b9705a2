"""The first counts, the others are gone when it is known."""

import asyncio

import pytest

from proa.runtime.races import first_of


def test_the_first_is_told_and_the_others_are_cancelled() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("slow")

    async def quick() -> None:
        await asyncio.sleep(0)

    assert asyncio.run(first_of(slow(), quick())) == 1
    assert ended == ["slow"]


def test_its_failure_is_raised() -> None:
    async def failing() -> None:
        raise ValueError("no")

    async def slow() -> None:
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="no"):
        asyncio.run(first_of(slow(), failing()))
