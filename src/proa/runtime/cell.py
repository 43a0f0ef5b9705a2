"""A cell holds the latest value of something. One owner sets it, anyone reads it or waits for it to change.

Readers that are slow skip values in between, so nothing queues up. A value equal to the one held is no change.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cell(Generic[T]):
    """Belongs to one event loop. `version` grows with every change."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._version = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def value(self) -> T:
        return self._value

    @property
    def version(self) -> int:
        return self._version

    def set(self, value: T) -> bool:
        """True when this was a change."""
        if value == self._value:
            return False
        self._value = value
        self._version += 1
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        return True

    async def changed(self, seen: int) -> int:
        """Returns the version as soon as it is another than `seen`."""
        while self._version == seen:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)
        return self._version

    async def until(self, holds: Callable[[T], bool]) -> T:
        """The first value for which `holds`, the one held now included."""
        while not holds(self._value):
            await self.changed(self._version)
        return self._value

    async def follow(self) -> AsyncIterator[T]:
        """The value held now, then the latest after each change."""
        seen = self._version
        yield self._value
        while True:
            seen = await self.changed(seen)
            yield self._value
