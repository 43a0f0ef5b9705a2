"""Where the CA's keys are: in the home, or in a Secret, into which those of the home move once."""

import asyncio
from pathlib import Path

import pytest

from proa.control_plane.opened_stores import opened_stores
from proa.home import Home
from tests.contracts.key_store import FIRST, SECOND
from tests.unit.adapters.key_stores.kubernetes.api_server import ApiServer, api_server


def test_keys_of_the_home_move_into_an_empty_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()

    async def body() -> None:
        async with opened_stores(home, None) as stores:
            await stores.keys.create("root", FIRST)
            await stores.keys.create("intermediate", SECOND)
        server = ApiServer()
        async with asyncio.timeout(60), api_server(tmp_path, server) as access:
            for _ in range(2):
                async with opened_stores(home, None, secret=access) as stores:
                    assert await stores.keys.names() == ("intermediate", "root")
                    assert await stores.keys.load("root") == FIRST
                moved = [each for each in caplog.messages if "take those in" in each]
                assert len(moved) == 1, "once"
            assert server.written == ["create"]
            async with opened_stores(home, None, secret=access) as stores:
                await stores.keys.replace("root", SECOND)
        async with opened_stores(home, None) as stores:
            assert await stores.keys.load("root") == FIRST

    asyncio.run(body())
