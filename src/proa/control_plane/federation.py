"""Owner of partners' bundles: reads those that objects hold, fetches the others again and again, and tells each node
those that its workloads are to believe.

The last good bundle of an endpoint holds until it has a better one, also over a restart. A domain of which nobody has a
bundle is believed by nobody. When an object goes, or a namespace in it, the nodes concerned are told at once; the
filters that judge callers follow from the object itself, in the world.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec
from immutables import Map

from proa.control_plane.world import World
from proa.core.auth.federation import Federation
from proa.core.auth.trust_bundle import BadBundle, TrustBundle, read_bundle
from proa.core.pilot.scope.federation import federated
from proa.core.pilot.scope.index import Affected
from proa.core.sidecar.session import PartnerBundle
from proa.ports.trust_bundles import BundleFetcher, BundleSource, BundleUnavailable, KeptBundles
from proa.runtime.cell import Cell

REFRESH_S: Final = 5 * 60.0
"""Where a document says nothing (SPIFFE Trust Domain and Bundle §4.1.1 leaves it to us)."""
LEAST_S: Final = 1.0
MOST_S: Final = 24 * 3600.0
"""Bounds of what a document may ask for."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
"""After a failure, doubling from the first to the longest."""
AT_ONCE: Final = 8
"""Fetches under way: slow servers make the others wait for a turn, and none wait for ever."""

log = logging.getLogger("proa.control_plane.federation")


class Believed(msgspec.Struct, frozen=True, kw_only=True):
    """The federations in force, and by trust domain the bundles that are known."""

    federations: tuple[Federation, ...] = ()
    bundles: Map[str, TrustBundle] = Map()


class Federations:
    """`run` is its one task. `failing` says of a trust domain why its endpoint does not answer; `counts`: fetches by
    how they ended."""

    def __init__(self, world: World, fetcher: BundleFetcher, kept: KeptBundles) -> None:
        self._world = world
        self._fetcher = fetcher
        self._kept = kept
        self._fetched: dict[BundleSource, TrustBundle] = dict(kept.load())
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._moved = asyncio.Event()
        self.believed: Cell[Believed] = Cell(Believed())
        self.failing: dict[str, str] = {}
        self.counts: Counter[str] = Counter(fetched=0, failed=0)
        world.subscribe(self._look)

    def for_namespaces(self, namespaces: Iterable[str]) -> tuple[PartnerBundle, ...]:
        """What a node with workloads of these namespaces is told, sorted."""
        here = sorted(set(namespaces))
        told: list[PartnerBundle] = []
        believed = self.believed.value
        for each in believed.federations:
            among = tuple(name for name in here if each.is_for(name))
            if among:
                known = believed.bundles.get(each.trust_domain)
                told.append(
                    PartnerBundle(
                        trust_domain=each.trust_domain,
                        namespaces=among,
                        roots_pem=known.pem if known is not None else "",
                    )
                )
        return tuple(told)

    def states(self) -> dict[str, int]:
        """Trust domains by how they stand: `good`; `stale`, whose endpoint failed last; `missing`."""
        found = {"good": 0, "stale": 0, "missing": 0}
        believed = self.believed.value
        for each in believed.federations:
            is_known = each.trust_domain in believed.bundles
            state = "missing" if not is_known else "stale" if each.trust_domain in self.failing else "good"
            found[state] += 1
        return found

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            running: dict[BundleSource, asyncio.Task[None]] = {}
            while True:
                self._moved.clear()
                wanted = set(self._sources())
                for source in [each for each in running if each not in wanted]:
                    running.pop(source).cancel()
                for source in [each for each in self._fetched if each not in wanted]:
                    del self._fetched[source]
                    self._kept.forget(source)
                for source in wanted:
                    if source not in running:
                        running[source] = tasks.create_task(
                            self._keep_fresh(source), name=f"bundle of {source.trust_domain}"
                        )
                await self._moved.wait()

    def _look(self, generation: int, affected: Affected, scopes: object, workloads: object) -> None:
        if affected.policies or affected.settings:
            found = federated(self._world.snapshot, self._world.index)
            if found != self.believed.value.federations:
                self._believe(found)
                self._moved.set()

    def _believe(self, found: tuple[Federation, ...]) -> None:
        """These are in force now, with what is known of their bundles. Tells whoever follows."""
        names = {each.trust_domain for each in found}
        self.failing = {name: why for name, why in self.failing.items() if name in names}
        bundles = {each.trust_domain: known for each in found if (known := self._known(each))}
        self.believed.set(Believed(federations=found, bundles=Map(bundles)))

    def _known(self, each: Federation) -> TrustBundle | None:
        source = _source_of(each)
        fetched = self._fetched.get(source) if source is not None else None
        return fetched or _given(each)

    def _sources(self) -> Iterable[BundleSource]:
        found = (_source_of(each) for each in self.believed.value.federations)
        return (source for source in found if source is not None)

    async def _keep_fresh(self, source: BundleSource) -> None:
        failures = 0
        while True:
            pause = await self._fetch(source)
            failures = 0 if pause is not None else failures + 1
            if pause is None:
                pause = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 10), LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    async def _fetch(self, source: BundleSource) -> float | None:
        """Seconds until it is time again; None: it failed."""
        domain = source.trust_domain
        known = self.believed.value.bundles.get(domain)
        try:
            async with self._turns:
                found = await self._fetcher.fetch(source, known.pem if known is not None else "")
        except BundleUnavailable as error:
            self.counts["failed"] += 1
            if domain not in self.failing:
                what = "the last good one holds" if known is not None else "nobody of it is believed"
                log.warning("the bundle of %s cannot be fetched, %s: %s", domain, what, error)
            self.failing[domain] = str(error)
            return None
        self.counts["fetched"] += 1
        if self.failing.pop(domain, None) is not None:
            log.info("the bundle endpoint of %s answers again", domain)
        if self._fetched.get(source) != found:
            self._fetched[source] = found
            self._kept.keep(source, found)
            self._believe(self.believed.value.federations)
        hint = REFRESH_S if found.refresh_hint is None else float(found.refresh_hint)
        return min(max(hint, LEAST_S), MOST_S)


def _source_of(each: Federation) -> BundleSource | None:
    if each.endpoint is None:
        return None
    given = hashlib.sha256(each.bundle.encode()).hexdigest()
    return BundleSource(trust_domain=each.trust_domain, endpoint=each.endpoint, given=given)


def _given(each: Federation) -> TrustBundle | None:
    """What the object holds; one that cannot be read is none, and the object's note says so."""
    if not each.bundle:
        return None
    try:
        return read_bundle(each.bundle, each.trust_domain)
    except BadBundle as error:
        log.error("the bundle of %s in %s cannot be read: %s", each.trust_domain, each.ref, error)
        return None
