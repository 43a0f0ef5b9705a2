"""One HTTP/1.1 connection, as bare as a load generator needs it: no pool, no redirect and above all no second try.

Libraries quietly repeat a request whose kept connection turned out to be closed; a measurement of "no failed request"
must see that. Used by `proa.testing.load`. Plain text only: TLS between mesh members is the sidecars' business.
"""

import asyncio
import contextlib
from collections.abc import Mapping

import msgspec

_READ_SIZE = 65536
_MOST_HEAD_BYTES = 262_144
_BODILESS = frozenset({204, 304})


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """`headers` has lower-case names; of a repeated header the last value."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ConnectionLost(Exception):
    """The peer closed or reset the connection.

    `is_idle_race`: the connection had been used before and not one byte of an answer came, so the peer's close and
    the request may have crossed on the wire.
    """

    def __init__(self, detail: str, *, is_idle_race: bool) -> None:
        super().__init__(detail)
        self.is_idle_race = is_idle_race


class ProtocolBroken(Exception):
    """The peer sent something that is no HTTP/1.1 response."""


class Connection:
    """Owned by one task. After any exception of `exchange` it must be closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._exchanges = 0
        self._answer_bytes = 0
        self._keeps_alive = True

    @property
    def is_reusable(self) -> bool:
        """False once the peer's close has arrived: whoever looks before sending loses nothing."""
        is_open = not self._reader.at_eof() and not self._writer.is_closing()
        return self._keeps_alive and is_open and not self._buffer

    async def exchange(self, request: bytes, *, is_head: bool = False) -> Response:
        """Sends the request's bytes and reads one final response; raises ConnectionLost or ProtocolBroken."""
        self._answer_bytes = 0
        try:
            self._writer.write(request)
            await self._writer.drain()
            response = await self._read_response(is_head)
        except (OSError, EOFError) as error:
            raced = self._exchanges > 0 and self._answer_bytes == 0
            detail = f"{type(error).__name__}: {error}" if str(error) else "closed by the peer"
            raise ConnectionLost(detail, is_idle_race=raced) from error
        self._exchanges += 1
        return response

    async def close(self) -> None:
        """At once: what was not sent yet is dropped, so a peer that does not read cannot hold us here."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read_response(self, is_head: bool) -> Response:
        status, version, headers = await self._read_head()
        while 100 <= status < 200:  # interim answers (100, 103) announce, the final one follows
            status, version, headers = await self._read_head()
        connection = headers.get("connection", "").lower()
        self._keeps_alive = "close" not in connection and (
            version != "HTTP/1.0" or "keep-alive" in connection
        )
        if is_head or status in _BODILESS:
            body = b""
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            body = await self._read_chunks()
        elif "content-length" in headers:
            body = await self._take(_parsed(headers["content-length"], 10))
        else:
            body = await self._read_to_end()
        return Response(status=status, headers=headers, body=body)

    async def _read_head(self) -> tuple[int, str, dict[str, str]]:
        lines = (await self._take_through(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1."):
            raise ProtocolBroken(f"no HTTP/1 status line: {lines[0][:80]!r}")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return _parsed(rest[:3], 10), version, {name.lower(): value.strip() for name, _, value in pairs}

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := _parsed((await self._take_through(b"\r\n")).split(b";")[0].decode("latin-1"), 16):
            body += await self._take(size)
            await self._take(2)
        while await self._take_through(b"\r\n"):
            pass  # trailers
        return bytes(body)

    async def _read_to_end(self) -> bytes:
        self._keeps_alive = False
        with contextlib.suppress(EOFError):
            while True:
                await self._fill()
        return await self._take(len(self._buffer))

    async def _take_through(self, mark: bytes) -> bytes:
        """The bytes before `mark`, which is consumed too."""
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > _MOST_HEAD_BYTES:
                raise ProtocolBroken("a head or chunk line without end")
            await self._fill()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return found

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._fill()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    async def _fill(self) -> None:
        data = await self._reader.read(_READ_SIZE)
        if not data:
            raise EOFError
        self._answer_bytes += len(data)
        self._buffer += data


def _parsed(text: str, base: int) -> int:
    try:
        return int(text.strip(), base)
    except ValueError:
        raise ProtocolBroken(f"not a number: {text[:40]!r}") from None
