"""What a command hears when the agent is not well."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from proa.home import Home
from proa.node.client import AgentUnreachable, NoAgent, list_workloads


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path / "home")
    found.prepare()
    yield found
    found.node_socket.unlink(missing_ok=True)
    found.tidy()


def test_without_an_agent_a_command_ends_at_once(home: Home) -> None:
    with pytest.raises(NoAgent, match="no node agent serves"):
        asyncio.run(list_workloads(home))


def test_an_agent_that_says_nothing_holds_no_command_for_ever(home: Home) -> None:
    async def scenario() -> None:
        over = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.close()

        async with await asyncio.start_unix_server(silent, str(home.node_socket)):
            with pytest.raises(AgentUnreachable, match="gives no answer"):
                await list_workloads(home, within_s=0.05)
            over.set()

    asyncio.run(scenario())
