"""One gRPC call on a connection of its own, to a Unix socket or over TLS. Gives the first message that comes."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from proa.core.grpc_wire.asking import Call
from proa.core.grpc_wire.status import Code, Status

PIECE: Final = 65_536

Place = Path | tuple[str, int]
Check = Callable[[ssl.SSLObject], None]
"""Raises what it likes when the peer of a handshake is not who it should be; nothing was sent to it then."""


class CallFailed(Exception):
    """The call has ended with this status, and without an answer."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message or status.code.name)
        self.status = status


async def first_answer(
    place: Place, call: Call, patience_s: float, tls: ssl.SSLContext | None = None, check: Check | None = None
) -> bytes:
    """Raises CallFailed; a connection that cannot be made, or takes too long, is UNAVAILABLE."""
    try:
        async with asyncio.timeout(patience_s):
            if isinstance(place, Path):
                reader, writer = await asyncio.open_unix_connection(str(place))
            else:
                host, port = place
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=tls, server_hostname=host if tls else None
                )
            try:
                if check is not None:
                    check(writer.get_extra_info("ssl_object"))
                return await _answer(reader, writer, call)
            finally:
                writer.transport.abort()  # nothing is left to be said, and TLS would wait for the peer's farewell
                with suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        raise CallFailed(Status(Code.UNAVAILABLE, f"no answer within {patience_s:g} s")) from None
    except OSError as error:
        raise CallFailed(Status(Code.UNAVAILABLE, str(error) or type(error).__name__)) from None


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, call: Call) -> bytes:
    while call.status is None:
        writer.write(call.take())
        data = await reader.read(PIECE)
        if not data:
            call.lost()
        for message in call.receive(data):
            return message
    raise CallFailed(call.status if call.status.code else Status(Code.UNKNOWN, "it ended without an answer"))
