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
