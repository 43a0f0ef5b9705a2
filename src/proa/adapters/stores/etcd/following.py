"""Hearing of what others write: bells that ring when something below a prefix may differ, and mirrors that look.

A watch is only ever a bell and never the truth. Whoever is rung reads what differs from what he knows, so nothing
depends on a message having come: after a lost line, a restarted etcd or a compaction all bells ring, and when a watch
is silent for a while etcd is asked whether it is still there. History that was compacted is therefore never needed.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeVar

from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.wire import KeyValue, Range
from proa.ports.failures import StoreTemporary
from proa.runtime.backoff import Backoff

T = TypeVar("T")
SILENCE_S: Final = 4.0
"""After so long without a word all bells ring and the watch is made anew if etcd does not answer: what was missed for
whatever reason is known within this time."""

log = logging.getLogger("proa.adapters.etcd")


class Bell:
    """Rung when a key that begins with one of `prefixes` may differ. Belongs to one reader."""

    def __init__(self, *prefixes: str) -> None:
        self.prefixes = prefixes
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def rung(self, at_most_s: float | None = None) -> None:
        """Returns when it was rung since the last call, or when the time is over."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


class Bells:
    """`run` keeps the one watch of this process; `close` ends all readers."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd
        self._bells: set[Bell] = set()
        self._is_well = True
        self.is_closed = False

    @asynccontextmanager
    async def bell(self, *prefixes: str) -> AsyncIterator[Bell]:
        bell = Bell(*prefixes)
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    def ring(self, keys: tuple[str, ...]) -> None:
        for bell in self._bells:
            if any(key.startswith(bell.prefixes) for key in keys):
                bell.ring()

    def ring_all(self) -> None:
        for bell in self._bells:
            bell.ring()

    def close(self) -> None:
        self.is_closed = True
        self.ring_all()

    async def run(self) -> None:
        """Until cancelled, whatever becomes of etcd."""
        backoff = Backoff(random.random)
        while True:
            try:
                await self._listen(backoff)
                reason = "etcd ended the watch"
            except StoreTemporary as error:
                reason = str(error)
            if self._is_well:
                log.warning("changes of others may come late: %s", reason)
            self._is_well = False
            await asyncio.sleep(backoff.next())
            if await self._answers():
                self.ring_all()  # it may be the watch alone that does not work

    async def _listen(self, backoff: Backoff) -> None:
        async with aclosing(self._etcd.watch()) as news:
            while True:
                reading = asyncio.ensure_future(anext(news, None))  # noqa: TID251 - awaited right here
                try:
                    while not (await asyncio.wait((reading,), timeout=SILENCE_S))[0]:
                        await self._etcd.find(Range(key="schema", keys_only=True))
                        self.ring_all()
                finally:
                    if not reading.done():
                        reading.cancel()
                        await asyncio.wait((reading,))
                keys = reading.result()
                if keys is None:
                    return
                backoff.succeeded()
                if not self._is_well:
                    log.info("changes of others are heard of again")
                self._is_well = True
                if keys:
                    self.ring(keys)
                else:
                    self.ring_all()

    async def _answers(self) -> bool:
        try:
            await self._etcd.find(Range(key="schema", keys_only=True))
        except StoreTemporary:
            return False
        return True

    async def follow(self, prefixes: tuple[str, ...], look: Callable[[], Awaitable[T]]) -> AsyncGenerator[T]:
        """What `look` finds, at once and whenever it is another than last time. While etcd is away nothing is yielded:
        what was found last goes on to hold. Ends when the store closes; StorePermanent propagates."""
        seen: list[T] = []
        async with self.bell(*prefixes) as bell:
            while not self.is_closed:
                try:
                    found = await look()
                except StoreTemporary:
                    await bell.rung(at_most_s=1.0)
                    continue
                if not seen or seen[0] != found:
                    seen = [found]
                    yield found
                else:
                    await bell.rung()


class Mirror:
    """What is below a prefix, read by what differs. One `refresh` at a time."""

    def __init__(self, etcd: Etcd, prefix: str) -> None:
        self._etcd = etcd
        self._prefix = prefix
        self._revision = 0
        self._one_at_a_time = asyncio.Lock()
        self.values: dict[str, KeyValue] = {}

    async def refresh(self) -> dict[str, KeyValue]:
        """Reads what was written since the last time and, when the numbers say that something is gone, which keys are
        left. Keys come without the prefix. Returns `values`, in the order of keys."""
        async with self._one_at_a_time:
            found = await self._etcd.all_of(self._prefix, changed_since=self._revision + 1)
            for each in found.values:
                self.values[each.key.removeprefix(self._prefix)] = each
            if found.count != len(self.values):
                there = await self._etcd.all_of(self._prefix, keys_only=True)
                left = {each.key.removeprefix(self._prefix) for each in there.values}
                self.values = {key: value for key, value in self.values.items() if key in left}
            self._revision = max(self._revision, found.revision)
            self.values = dict(sorted(self.values.items()))
            return self.values
