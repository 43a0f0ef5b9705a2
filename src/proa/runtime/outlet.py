"""The write side of a stream that has one writer task: what is put is written in order, then the end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator


class Outlet:
    """Unbounded: for protocols that bound by themselves how much can be on its way."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._unwritten = 0

    @property
    def unwritten(self) -> int:
        """What was put and its writer has not done with: above 0 for long, the peer does not read."""
        return self._unwritten

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, body: bytes) -> None:
        """After `close` nothing is taken."""
        if not self._closed:
            self._waiting.append(body)
            self._unwritten += 1
            self._wake.set()

    def close(self) -> None:
        """Ends the stream as soon as what was put is written."""
        self._closed = True
        self._wake.set()

    async def drain(self) -> AsyncIterator[bytes]:
        """For the one writer: each body once, in order, until closed and empty."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
                self._unwritten -= 1
            if self._closed:
                return
            self._wake.clear()
            await self._wake.wait()
