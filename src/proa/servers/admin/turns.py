"""Takes turns at what is dear: so many at once, so many waiting, and a plain no beyond that."""

import asyncio
from collections.abc import Callable
from types import TracebackType

from proa.servers.admin.operations import OperationFailed


class Busy(OperationFailed):
    """Too many do this at the same time; it is worth trying again."""


class Turns:
    """`async with turns:` waits for a turn, first come first served. Raises Busy when too many wait already, and calls
    `refused` with the reason."""

    def __init__(
        self,
        what: str,
        *,
        at_once: int,
        waiting: int,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._what = what
        self._refused = refused
        self._most = at_once + waiting
        self._free = asyncio.Semaphore(at_once)
        self.here = 0

    def check(self) -> None:
        """Raises Busy when nobody else can come now."""
        if self.here >= self._most:
            self._refused(f"{self._what} at once")
            raise Busy(f"{self.here} {self._what} at the same time are too many; try again")

    async def __aenter__(self) -> None:
        self.check()
        self.here += 1
        try:
            await self._free.acquire()
        except BaseException:
            self.here -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.here -= 1
        self._free.release()
