"""What comes together in memory is sent in batches: every so often, one batch after the other, again while the other
side is away, and a last time at the end.

    async with delivering(Delivery(collect, send, given_up, pace, Backoff(random.random))) as delivery:
        ...                  # `delivery.hurry()` when enough has come together

Bounding what comes together is its owner's. While one batch is tried again the rest stays there.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final, Generic, TypeVar

import msgspec

from proa.ports.failures import HandlerPermanent, HandlerTemporary
from proa.runtime.backoff import Backoff

T = TypeVar("T")
CLOSING_S: Final = 5.0
"""For all that is left at the end. Who waits for a handler's end waits longer."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds."""

    interval: float
    retry_for: float
    closing: float = CLOSING_S

    @classmethod
    def of_ms(cls, interval: int | None, retry_for: int | None, *, usually: int) -> "Pace":
        """Of an operator's milliseconds. An interval of none or zero is a second; `retry_for` is `usually` where he
        says nothing, and zero is not to try again."""
        return cls(
            interval=(interval or 1000) / 1000, retry_for=(usually if retry_for is None else retry_for) / 1000
        )


class Delivery(Generic[T]):
    """`collect` gives what has come since it was asked last, in batches. `send` raises HandlerTemporary when the same
    batch may be tried again, HandlerPermanent when not. `given_up` is told of each batch that was not sent, and why."""

    def __init__(
        self,
        collect: Callable[[], Iterable[T]],
        send: Callable[[T], Awaitable[None]],
        given_up: Callable[[T, str], None],
        pace: Pace,
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._collect, self._send, self._given_up = collect, send, given_up
        self._pace, self._backoff, self._clock = pace, backoff, clock
        self._hurried, self._left = asyncio.Event(), asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self.is_final = False
        """Whether it is collected for the last time: what is not sent now is not sent."""

    def hurry(self) -> None:
        """Do not wait for the interval."""
        self._hurried.set()

    def leave(self) -> None:
        """Send what is there, each batch once, and end."""
        self._left.set()
        self._hurried.set()
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._pace.closing)

    async def run(self) -> None:
        """Until it has left."""
        batch: T | None = None
        try:
            async with asyncio.timeout(self._pace.closing if self._left.is_set() else None) as self._limit:
                while not self.is_final:
                    self.is_final = self._left.is_set()
                    for batch in self._collect():
                        await self._deliver(batch)
                        batch = None
                    if not self.is_final:
                        await _until(self._hurried, self._pace.interval)
                        if not self._left.is_set():
                            self._hurried.clear()
        except TimeoutError:
            self.is_final = True
            why = f"nobody took it within {self._pace.closing:g} s of the end"
            if batch is not None:
                self._given_up(batch, why)
            for each in self._collect():
                self._given_up(each, why)

    async def _deliver(self, batch: T) -> None:
        since = self._clock()
        while True:
            try:
                await self._send(batch)
            except HandlerPermanent as error:
                return self._given_up(batch, str(error))
            except HandlerTemporary as error:
                if self._left.is_set() or self._clock() - since >= self._pace.retry_for:
                    return self._given_up(batch, str(error))
            else:
                return self._backoff.succeeded()
            await _until(self._left, self._backoff.next())


async def _until(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


@asynccontextmanager
async def delivering(delivery: Delivery[T]) -> AsyncIterator[Delivery[T]]:
    """Runs it while the block lasts, and until it has left."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(delivery.run())
        try:
            yield delivery
        finally:
            delivery.leave()
