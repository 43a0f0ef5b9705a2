"""Owner of the keys of end users' tokens: fetches what rules in force need, again and again, and tells the world.

No sidecar fetches any: they are given the keys with the rules. The last good keys of a source hold until it has better
ones, also over a restart; a source that could never be had has none, and its tokens are refused.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from immutables import Map

from proa.control_plane.world import World
from proa.core.model.snapshot import Change
from proa.core.model.token_keys import KeySource
from proa.core.pilot.scope.end_users import wanted_keys
from proa.core.pilot.scope.index import Affected
from proa.ports.token_keys import KeptKeys, KeyFetcher, KeysUnavailable

FRESH_S: Final = 20 * 60.0
"""Keys are fetched again after this, or sooner if their server says that they are not good for so long."""
LEAST_S: Final = 5.0
"""Between two fetches of a source, whatever its server says."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
"""After a failure, doubling from the first to the longest."""
AT_ONCE: Final = 8
"""Fetches under way: slow servers make the others wait for a turn, and none wait for ever."""

log = logging.getLogger("proa.control_plane.token_keys")


class TokenKeys:
    """`run` is its one task. `counts`: fetches by how they ended."""

    def __init__(self, world: World, fetcher: KeyFetcher, kept: KeptKeys) -> None:
        self._world = world
        self._fetcher = fetcher
        self._kept = kept
        self._known: Map[KeySource, str] = Map(kept.load())
        self._wanted: Mapping[KeySource, float] = {}
        self._failing: dict[KeySource, str] = {}
        self._tried: set[KeySource] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._moved = asyncio.Event()
        self._fetched = asyncio.Event()
        self.counts: Counter[str] = Counter(fetched=0, failed=0)
        world.subscribe(self._look)
        world.submit(Change(key_sets=self._known))

    def states(self) -> dict[str, int]:
        """Sources in need by how they stand: `good`; `stale`, whose last fetch failed; `missing`."""
        found = {"good": 0, "stale": 0, "missing": 0}
        for source in self._wanted:
            state = "missing" if source not in self._known else "stale" if source in self._failing else "good"
            found[state] += 1
        return found

    async def tried(self, patience_s: float) -> None:
        """Returns when each source in need has keys or has been asked once, at the latest after `patience_s`: proxies
        that come before would refuse tokens that may be good."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while any(each not in self._known and each not in self._tried for each in self._now_wanted()):
                    self._fetched.clear()
                    await self._fetched.wait()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            running: dict[KeySource, asyncio.Task[None]] = {}
            while True:
                self._moved.clear()
                self._wanted = self._now_wanted()
                for source in [each for each in running if each not in self._wanted]:
                    running.pop(source).cancel()
                    self._forget(source)
                for source in self._wanted:
                    if source not in running:
                        running[source] = tasks.create_task(
                            self._keep_fresh(source), name=f"keys of {source}"
                        )
                await self._moved.wait()

    def _look(self, generation: int, affected: Affected, scopes: object, workloads: object) -> None:
        if affected.policies or affected.settings:
            self._moved.set()

    def _now_wanted(self) -> Mapping[KeySource, float]:
        return wanted_keys(self._world.snapshot, self._world.index)

    async def _keep_fresh(self, source: KeySource) -> None:
        failures = 0
        while True:
            pause = await self._fetch(source)
            failures = 0 if pause is not None else failures + 1
            if pause is None:
                pause = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 10), LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    async def _fetch(self, source: KeySource) -> float | None:
        """Seconds until it is time again; None: it failed."""
        try:
            async with self._turns:
                found = await self._fetcher.fetch(source, self._wanted[source])
        except KeysUnavailable as error:
            self.counts["failed"] += 1
            if source not in self._failing:
                what = "the last good ones hold" if source in self._known else "its tokens are refused"
                log.warning("the keys of %s cannot be fetched, %s: %s", source, what, error)
            self._failing[source] = str(error)
            return None
        finally:
            self._tried.add(source)
            self._fetched.set()
        self.counts["fetched"] += 1
        if self._failing.pop(source, None) is not None:
            log.info("the keys of %s are there again", source)
        if self._known.get(source) != found.keys:
            self._known = self._known.set(source, found.keys)
            self._world.submit(Change(key_sets=self._known))
            self._kept.keep(source, found.keys)
        age = FRESH_S if found.max_age_s is None else float(found.max_age_s)
        return min(max(age, LEAST_S), FRESH_S)

    def _forget(self, source: KeySource) -> None:
        """Nobody needs it any more."""
        self._failing.pop(source, None)
        self._tried.discard(source)
        if source in self._known:
            self._known = self._known.delete(source)
            self._world.submit(Change(key_sets=self._known))
        self._kept.forget(source)
