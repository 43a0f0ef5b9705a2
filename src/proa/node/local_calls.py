"""Connections to the agent's local socket, for `proa.node.client`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from proa.core.sidecar.local import (
    LINE_MAX,
    AgentMessage,
    LocalMessage,
    LocalMessageError,
    decode_from_agent,
    encode_line,
)
from proa.home import Home


class AgentUnreachable(Exception):
    """The agent gives no answer of use: it is silent, went away, or cannot do it now. The text says which."""


class NoAgent(AgentUnreachable):
    """Nobody listens at the home's node socket."""


class AgentConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, message: LocalMessage) -> None:
        """Raises AgentUnreachable."""
        try:
            self._writer.write(encode_line(message))
            await self._writer.drain()
        except ConnectionError as error:
            raise AgentUnreachable(f"the node agent went away ({error})") from None

    async def receive(self) -> AgentMessage:
        """Raises AgentUnreachable, at the end of the connection too."""
        try:
            line = await self._reader.readline()
            if not line:
                raise AgentUnreachable("the node agent went away")
            return decode_from_agent(line)
        except (ConnectionError, ValueError, LocalMessageError) as error:
            raise AgentUnreachable(f"the node agent is not understood: {error}") from None


@asynccontextmanager
async def agent(home: Home) -> AsyncIterator[AgentConnection]:
    """Raises AgentUnreachable."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(home.node_socket), limit=2 * LINE_MAX)
    except OSError as error:
        reason = error.strerror or str(error)
        raise NoAgent(f"no node agent serves {home.path} ({reason})") from None
    try:
        yield AgentConnection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
