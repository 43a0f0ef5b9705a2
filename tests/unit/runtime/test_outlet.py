"""In order, to the end, and nothing after it."""

import asyncio

from proa.runtime.outlet import Outlet


def test_what_was_put_is_written_before_the_end() -> None:
    async def scenario() -> list[bytes]:
        outlet = Outlet()
        outlet.put(b"one")
        outlet.put(b"two")
        outlet.close()
        outlet.put(b"late")
        return [body async for body in outlet.drain()]

    assert asyncio.run(scenario()) == [b"one", b"two"]


def test_what_is_being_written_is_not_written() -> None:
    async def scenario() -> list[int]:
        outlet, seen = Outlet(), []
        outlet.put(b"one")
        outlet.put(b"two")
        seen.append(outlet.unwritten)
        outlet.close()
        outlet.put(b"late")
        async for _ in outlet.drain():
            seen.append(outlet.unwritten)
        return [*seen, outlet.unwritten]

    assert asyncio.run(scenario()) == [2, 2, 1, 0]
