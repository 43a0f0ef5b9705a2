"""Owner of the keys of end users' tokens: fetches what rules in force need, again and again, and tells the world.

No sidecar fetches any: they are given the keys with the rules. The last good keys of a source hold until it has better
ones, also over a restart, but not for ever: a source that is away for a week may have withdrawn them long ago. One that
could never be had has none, and its tokens are refused.

Control planes that share a store share keys: each takes what another has fetched later than itself, and fetches only
what nobody has. So all proxies are given the same ones, whichever of them they are connected to.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from typing import Final

from immutables import Map

from proa.control_plane.world import World
from proa.core.model.snapshot import Change
from proa.core.model.token_keys import KeySource
from proa.core.pilot.scope.end_users import wanted_keys
from proa.core.pilot.scope.index import Affected
from proa.ports.token_keys import KeptKeys, KeptSet, KeyFetcher, KeysUnavailable

FRESH_S: Final = 20 * 60.0
"""Keys are fetched again after this, or sooner if their server says that they are not good for so long."""
LEAST_S: Final = 5.0
"""Between two fetches of a source, whatever its server says; and so much later than the control plane that fetched them
last do the others come."""
HOLD_S: Final = 7 * 24 * 3600.0
"""How long the last good keys hold while their source is away."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
"""After a failure, doubling from the first to the longest."""
AT_ONCE: Final = 8
"""Fetches under way: slow servers make the others wait for a turn, and none wait for ever."""
TRY_S: Final = 6.0
"""How long one waits for keys before going on without: more than a fetch may take, unless its rule says so."""

log = logging.getLogger("proa.control_plane.token_keys")


class TokenKeys:
    """`load` first, then `run`, its one task. `counts`: fetches by how they ended. `clock` gives unix seconds.
    `generation` is the world's in which keys last changed."""

    def __init__(self, world: World, fetcher: KeyFetcher, kept: KeptKeys, clock: Callable[[], float]) -> None:
        self._world = world
        self._fetcher = fetcher
        self._kept = kept
        self._clock = clock
        self._known: dict[KeySource, KeptSet] = {}
        self._others: Mapping[KeySource, KeptSet] = {}
        self._told: Map[KeySource, str] = Map()
        self._wanted: Mapping[KeySource, float] = {}
        self._mine: set[KeySource] = set()
        self._failing: dict[KeySource, str] = {}
        self._tried: set[KeySource] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._moved = asyncio.Event()
        self._fetched = asyncio.Event()
        self.counts: Counter[str] = Counter(fetched=0, failed=0)
        self.generation = 0
        self._folded = world.snapshot.key_sets
        world.subscribe(self._look)

    async def load(self) -> None:
        """What was kept, whoever will need it."""
        self._known = {
            source: kept for source, kept in (await self._kept.load()).items() if not self._is_over(kept)
        }
        self._tell()

    def states(self) -> dict[str, int]:
        """Sources in need by how they stand: `good`; `stale`, whose last fetch failed; `missing`."""
        found = {"good": 0, "stale": 0, "missing": 0}
        for source in self._wanted:
            state = "missing" if source not in self._known else "stale" if source in self._failing else "good"
            found[state] += 1
        return found

    def missing(self) -> tuple[str, ...]:
        """Of each source in need that was asked and never had: which, and why."""
        return tuple(
            f"the keys of {source} cannot be fetched ({self._failing[source]}): every token of this issuer is refused"
            " with 401 until they are"
            for source in sorted(self._wanted)
            if source in self._failing and source not in self._known
        )

    async def tried(self, patience_s: float = TRY_S) -> None:
        """Returns when the world has the keys of each source in need, or has asked in vain, at the latest after
        `patience_s`: proxies that are told before would refuse tokens that may be good."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while any(self._is_awaited(each) for each in self._now_wanted()):
                    self._fetched.clear()
                    await self._fetched.wait()

    def _is_awaited(self, source: KeySource) -> bool:
        in_world = source in self._world.snapshot.key_sets
        return not in_world and (source in self._known or source not in self._tried)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_others(), name="keys that others have fetched")
            running: dict[KeySource, asyncio.Task[None]] = {}
            while True:
                self._moved.clear()
                self._wanted = self._now_wanted()
                for source in [each for each in running if each not in self._wanted]:
                    running.pop(source).cancel()
                for source in [each for each in self._known if each not in self._wanted]:
                    await self._forget(source)
                self._take_others()
                for source in self._wanted:
                    if source not in running:
                        running[source] = tasks.create_task(
                            self._keep_fresh(source), name=f"keys of {source}"
                        )
                await self._moved.wait()

    def _look(self, generation: int, affected: Affected, scopes: object, workloads: object) -> None:
        if self._world.snapshot.key_sets is not self._folded:
            self._folded = self._world.snapshot.key_sets
            self.generation = generation
            self._fetched.set()
        if affected.policies or affected.settings:
            self._moved.set()

    def _now_wanted(self) -> Mapping[KeySource, float]:
        return wanted_keys(self._world.snapshot, self._world.index)

    # -- what others fetch --

    async def _follow_others(self) -> None:
        async with aclosing(self._kept.watch()) as every:
            async for found in every:
                self._others = found
                self._take_others()

    def _take_others(self) -> None:
        """What is newer than ours. That something is gone from the store is no news: it was of no use to somebody."""
        for source in self._wanted:
            kept, known = self._others.get(source), self._known.get(source)
            if kept is not None and not self._is_over(kept) and (not known or kept.fetched > known.fetched):
                self._mine.discard(source)
                self._take(source, kept)

    # -- what we fetch --

    async def _keep_fresh(self, source: KeySource) -> None:
        failures = 0
        while True:
            left = self._fresh_for(source)
            if left > 0:
                failures = 0
                await asyncio.sleep(left)
            elif not await self._fetch(source):
                failures += 1
                await asyncio.sleep(min(FIRST_PAUSE_S * 2 ** min(failures - 1, 10), LONGEST_PAUSE_S))

    def _fresh_for(self, source: KeySource) -> float:
        """Seconds until they should be fetched here."""
        known = self._known.get(source)
        if known is None or known.fresh_until == 0:
            return 0
        left = min(known.fresh_until - self._clock(), FRESH_S)
        return left if source in self._mine else left + LEAST_S

    async def _fetch(self, source: KeySource) -> bool:
        """Whether it was done."""
        try:
            async with self._turns:
                found = await self._fetcher.fetch(source, self._wanted[source])
        except KeysUnavailable as error:
            self.counts["failed"] += 1
            self._fail(source, str(error))
            return False
        finally:
            self._tried.add(source)
            self._fetched.set()
        self.counts["fetched"] += 1
        age = FRESH_S if found.max_age_s is None else float(found.max_age_s)
        now = self._clock()
        kept = KeptSet(keys=found.keys, fetched=now, fresh_until=now + min(max(age, LEAST_S), FRESH_S))
        self._mine.add(source)
        self._take(source, kept)
        await self._kept.keep(source, kept)
        return True

    def _take(self, source: KeySource, kept: KeptSet) -> None:
        if self._failing.pop(source, None) is not None:
            log.info("the keys of %s are there again", source)
        self._known[source] = kept
        self._fetched.set()
        self._tell()

    def _fail(self, source: KeySource, reason: str) -> None:
        known = self._known.get(source)
        if known is not None and self._is_over(known):
            log.error(
                "the keys of %s could not be fetched for %.0f days, they hold no longer and its tokens are refused",
                source,
                HOLD_S / 86400,
            )
            del self._known[source]
            self._tell()
        elif source not in self._failing:
            what = "the last good ones hold" if known else "its tokens are refused"
            log.warning("the keys of %s cannot be fetched, %s: %s", source, what, reason)
        self._failing[source] = reason

    def _is_over(self, kept: KeptSet) -> bool:
        return self._clock() - kept.fetched >= HOLD_S

    async def _forget(self, source: KeySource) -> None:
        """Nobody needs it any more."""
        self._failing.pop(source, None)
        self._tried.discard(source)
        self._mine.discard(source)
        self._known.pop(source, None)
        self._tell()
        await self._kept.forget(source)

    def _tell(self) -> None:
        keys = Map({source: kept.keys for source, kept in self._known.items()})
        if keys != self._told:
            self._told = keys
            self._world.submit(Change(key_sets=keys))
