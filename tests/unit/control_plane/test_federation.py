"""The owner of partners' bundles, with endpoints that do as they are told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from proa.control_plane import federation
from proa.control_plane.federation import Federations
from proa.control_plane.federation_metrics import FederationMetrics
from proa.control_plane.world import World
from proa.core.auth.trust_bundle import TrustBundle, read_bundle
from proa.core.model.names import ObjectRef
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.sidecar.session import PartnerBundle
from proa.ports.trust_bundles import BundleSource, BundleUnavailable
from proa.testing.builders import change, removal
from tests.federation import PARTNER, federated, roots_of

REF = ObjectRef("FederatedTrustDomain", "istio-system", "partner")
ENDPOINT = """
  bundleEndpointURL: https://partner.example/bundle
  bundleEndpointProfile: {type: https_spiffe, endpointSPIFFEID: spiffe://partner.example/server}"""


class Endpoint:
    """`bundle` None: nobody answers. `under` are the roots by which each answer was to be checked."""

    def __init__(self, bundle: str | None) -> None:
        self.bundle = bundle
        self.under: list[str] = []
        self._moved = asyncio.Event()

    async def fetch(self, source: BundleSource, roots_pem: str) -> TrustBundle:
        self.under.append(roots_pem)
        self._moved.set()
        await asyncio.sleep(0)
        if self.bundle is None:
            raise BundleUnavailable("nobody answers")
        return TrustBundle(pem=read_bundle(self.bundle, source.trust_domain).pem, refresh_hint=0)

    async def until_asked(self, times: int) -> None:
        while len(self.under) < times:
            self._moved.clear()
            await self._moved.wait()


class Kept:
    def __init__(self) -> None:
        self.bundles: dict[BundleSource, TrustBundle] = {}

    def load(self) -> Mapping[BundleSource, TrustBundle]:
        return dict(self.bundles)

    def keep(self, source: BundleSource, bundle: TrustBundle) -> None:
        self.bundles[source] = bundle

    def forget(self, source: BundleSource) -> None:
        self.bundles.pop(source, None)


@asynccontextmanager
async def running(endpoint: Endpoint, kept: Kept, *texts: str) -> AsyncIterator[tuple[World, Federations]]:
    world = World(MeshSettings(), clock=lambda: 0.0)
    owner = Federations(world, endpoint, kept)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(world.run())]
        for text in texts:
            await world.commit(change(text))
        started.append(tasks.create_task(owner.run()))
        yield world, owner
        for each in started:
            each.cancel()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST_S", "FIRST_PAUSE_S", "LONGEST_PAUSE_S"):
        monkeypatch.setattr(federation, name, 0.01)


def told(owner: Federations, *namespaces: str) -> tuple[tuple[str, ...], str] | None:
    found = owner.for_namespaces(namespaces)
    return (found[0].namespaces, found[0].roots_pem) if found else None


def test_what_an_object_holds_is_told_to_those_whom_it_names(tmp_path: Path) -> None:
    async def scene() -> None:
        first, second = roots_of(tmp_path, "a"), roots_of(tmp_path, "b")
        async with running(Endpoint(None), Kept(), federated(first, "shop", "pay")) as (world, owner):
            assert told(owner, "shop", "default", "shop") == (("shop",), first)
            assert told(owner, "default") is None
            seen = owner.believed.version
            await world.commit(change(federated(second, "shop")))
            await owner.believed.changed(seen)
            assert (told(owner, "pay"), told(owner, "shop")) == (None, (("shop",), second))
            await world.commit(removal(REF))
            assert owner.for_namespaces(["shop"]) == ()

    asyncio.run(scene())


def test_an_endpoint_is_followed_and_its_last_good_bundle_holds(tmp_path: Path) -> None:
    async def scene() -> None:
        given, first, second = (roots_of(tmp_path, name) for name in "abc")
        endpoint, kept, text = Endpoint(first), Kept(), federated(given, more=ENDPOINT)
        async with running(endpoint, kept, text) as (world, owner):
            await owner.believed.until(lambda _: told(owner, "shop") == (("shop",), first))
            assert endpoint.under[0] == given
            endpoint.bundle = second
            await owner.believed.until(lambda _: told(owner, "shop") == (("shop",), second))
            assert first in endpoint.under, "each answer is checked by the bundle before"
            endpoint.bundle = None
            await endpoint.until_asked(len(endpoint.under) + 3)
            assert owner.failing == {PARTNER: "nobody answers"}
            assert owner.states() == {"good": 0, "stale": 1, "missing": 0}
            registry = CollectorRegistry()
            registry.register(FederationMetrics(owner))
            page = generate_latest(registry).decode()
            assert 'proa_federated_trust_domains{state="stale"} 1.0' in page
            assert 'proa_trust_bundle_fetches_total{result="failed"}' in page
            assert told(owner, "shop") == (("shop",), second)
            assert [bundle.pem for bundle in kept.bundles.values()] == [second]
        async with running(Endpoint(None), kept, text) as (world, owner):
            assert told(owner, "shop") == (("shop",), second), "over a restart"
            await world.commit(change(federated(first, more=ENDPOINT)))
            assert told(owner, "shop") == (("shop",), first), (
                "an operator's other bundle is one to begin from"
            )
            await world.commit(removal(REF))
            await owner.believed.until(lambda now: not now.federations)
            while kept.bundles:
                await world.commit(Change())

    asyncio.run(scene())


def test_nobody_of_a_domain_without_a_bundle_is_believed(tmp_path: Path) -> None:
    async def scene() -> None:
        text = federated(
            "x",
            more=ENDPOINT.replace(
                "https_spiffe, endpointSPIFFEID: spiffe://partner.example/server", "https_web"
            ),
        )
        text = text[: text.index("  trustDomainBundle")]
        endpoint = Endpoint(None)
        async with running(endpoint, Kept(), text) as (_, owner):
            await endpoint.until_asked(2)
            assert owner.failing == {PARTNER: "nobody answers"}
            assert owner.states() == {"good": 0, "stale": 0, "missing": 1}
            expected = PartnerBundle(trust_domain=PARTNER, namespaces=("shop",))
            assert owner.for_namespaces(["shop"]) == (expected,)

    asyncio.run(scene())
