"""Which roots a node says that it trusts and uses, and when."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest
from immutables import Map

from proa.core.auth.roots import root_sha256
from proa.core.sidecar.session import PartnerBundle, SessionState
from proa.node import trust as trust_module
from proa.node.credentials import Credential
from proa.node.trust import NodeTrust, TrustReport, hand_secrets
from proa.runtime.cell import Cell
from tests.mesh.tiny_control_plane import TinyCa

DOMAIN = "cluster.local"
OLD, NEW = TinyCa(), TinyCa()
OLD_DIGEST, NEW_DIGEST = root_sha256(OLD.root.pem), root_sha256(NEW.root.pem)
BOTH = OLD.root.pem + NEW.root.pem


def report(trusts: set[str], uses: set[str]) -> TrustReport:
    return TrustReport(trusts=tuple(sorted(trusts)), uses=tuple(sorted(uses)))


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(60):
            await scene()

    asyncio.run(within())


class Proxy:
    """A Taker that takes when it is told to."""

    def __init__(self) -> None:
        self.given: list[tuple[Credential | None, Mapping[str, str], Mapping[str, str]]] = []
        self.takes: Cell[int] = Cell(0)
        self.times: Cell[int] = Cell(0)

    async def give(
        self, credential: Credential | None, bundles: Mapping[str, str], partners: Mapping[str, str]
    ) -> None:
        self.given.append((credential, bundles, partners))
        self.times.set(len(self.given))

    async def taken(self) -> None:
        await self.takes.until(lambda taken: taken >= len(self.given))

    def take(self) -> None:
        self.takes.set(len(self.given))


def test_only_what_every_proxy_has_taken_is_trusted_and_what_any_presents_is_used() -> None:
    async def scene() -> None:
        trust = NodeTrust(DOMAIN, {DOMAIN: OLD.root.pem})
        credential: Cell[Credential | None] = Cell(OLD.node_credential("here", ()))
        proxy, changes = Proxy(), Cell(0)

        def changed() -> None:
            changes.set(changes.value + 1)

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(hand_secrets("w", credential, trust, proxy, changed, namespace="shop"))
            await trust.report.until(lambda now: now == report(set(), {OLD_DIGEST}))
            proxy.take()
            await trust.report.until(lambda now: now == report({OLD_DIGEST}, {OLD_DIGEST}))
            trust.bundles.set({DOMAIN: BOTH})
            trust.trusted_by("(node)")
            await changes.until(lambda number: number == 2)
            assert trust.report.value == report({OLD_DIGEST}, {OLD_DIGEST})
            proxy.take()
            await trust.report.until(lambda now: now == report({OLD_DIGEST, NEW_DIGEST}, {OLD_DIGEST}))
            credential.set(NEW.node_credential("here", ()))
            await trust.report.until(lambda now: NEW_DIGEST in now.uses)
            assert OLD_DIGEST in trust.report.value.uses
            proxy.take()
            await trust.report.until(lambda now: now == report({OLD_DIGEST, NEW_DIGEST}, {NEW_DIGEST}))
            assert changes.value == 2
            task.cancel()
        assert trust.report.value == report({OLD_DIGEST, NEW_DIGEST}, set())

    run(scene)


def test_what_comes_while_a_proxy_is_silent_is_given_to_it_at_once() -> None:
    async def scene() -> None:
        trust = NodeTrust(DOMAIN, {DOMAIN: BOTH})
        credential: Cell[Credential | None] = Cell(OLD.node_credential("here", ()))
        proxy = Proxy()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(hand_secrets("w", credential, trust, proxy, namespace="shop"))
            await trust.report.until(lambda now: now.uses == (OLD_DIGEST,))
            credential.set(NEW.node_credential("here", ()))
            both = report(set(), {OLD_DIGEST, NEW_DIGEST})
            await trust.report.until(lambda now: now == both)
            proxy.take()
            await trust.report.until(lambda now: now.uses == (NEW_DIGEST,))
            task.cancel()

    run(scene)


async def nothing_of_partners(partners: tuple[PartnerBundle, ...]) -> None:
    raise AssertionError(partners)


def answer(roots_pem: str, signing_root: str) -> SessionState:
    return SessionState(version=1, bundles=Map({DOMAIN: roots_pem}), signing_root=signing_root)


def test_roots_are_trusted_when_they_are_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_module, "RETRY_S", 0.01)

    async def scene() -> None:
        trust = NodeTrust(DOMAIN, {DOMAIN: OLD.root.pem})
        answers: Cell[SessionState | None] = Cell(None)
        full = Cell(0)
        kept: list[dict[str, str]] = []

        async def keep(bundles: dict[str, str]) -> None:
            if full.value < 2:
                full.set(full.value + 1)
                raise OSError("the disk is full")
            kept.append(bundles)

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(trust.follow(answers, keep, nothing_of_partners))
            answers.set(answer(BOTH, NEW_DIGEST))
            await full.until(lambda tried: tried == 1)
            assert trust.report.value.trusts == (OLD_DIGEST,)
            await trust.signing_root.until(lambda root: root == NEW_DIGEST)
            assert (kept, trust.roots_pem) == ([{DOMAIN: BOTH}], BOTH)
            assert trust.report.value == report({OLD_DIGEST, NEW_DIGEST}, set())
            task.cancel()

    run(scene)


def test_a_control_plane_that_says_nothing_of_roots_changes_nothing() -> None:
    async def scene() -> None:
        trust = NodeTrust(DOMAIN, {DOMAIN: OLD.root.pem})
        answers: Cell[SessionState | None] = Cell(SessionState(version=1))

        async def keep(bundles: dict[str, str]) -> None:
            raise AssertionError(bundles)

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(trust.follow(answers, keep, nothing_of_partners))
            answers.set(answer(OLD.root.pem, "of a root that is not known"))
            await asyncio.sleep(0)
            answers.set(answer(OLD.root.pem, OLD_DIGEST))
            assert await trust.signing_root.until(lambda root: bool(root)) == OLD_DIGEST
            task.cancel()

    run(scene)


def test_a_proxy_that_an_earlier_agent_left_is_not_believed_before_it_is_heard() -> None:
    trust = NodeTrust(DOMAIN, {DOMAIN: BOTH})
    trust.expect("w")
    assert trust.report.value == report(set(), {OLD_DIGEST, NEW_DIGEST})
    trust.forget("w")
    assert trust.report.value == report({OLD_DIGEST, NEW_DIGEST}, set())


PARTNER = PartnerBundle(trust_domain="partner", namespaces=("shop",), roots_pem="pem")


def test_a_partner_is_for_the_namespaces_that_are_told_and_never_one_of_our_own_names() -> None:
    ours = PartnerBundle(trust_domain=DOMAIN, namespaces=("shop",), roots_pem="theirs")
    trust = NodeTrust(DOMAIN, {DOMAIN: BOTH}, (ours, PARTNER))
    assert dict(trust.partners_of("shop")) == {"partner": "pem"}
    assert dict(trust.partners_of("default")) == {}


def test_a_partner_goes_at_once_also_from_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_module, "RETRY_S", 0.01)

    async def scene() -> None:
        trust = NodeTrust(DOMAIN, {DOMAIN: BOTH}, (PARTNER,))
        credential: Cell[Credential | None] = Cell(None)
        answers: Cell[SessionState | None] = Cell(None)
        tried: Cell[int] = Cell(0)
        kept: Cell[tuple[PartnerBundle, ...] | None] = Cell(None)
        proxy = Proxy()

        async def keep(bundles: dict[str, str]) -> None:
            raise AssertionError(bundles)

        async def keep_partners(partners: tuple[PartnerBundle, ...]) -> None:
            tried.set(tried.value + 1)
            if tried.value < 3:
                raise OSError("the disk is full")
            kept.set(partners)

        async with asyncio.TaskGroup() as tasks:
            started = [
                tasks.create_task(hand_secrets("w", credential, trust, proxy, namespace="shop")),
                tasks.create_task(trust.follow(answers, keep, keep_partners)),
            ]
            await proxy.times.until(lambda times: times == 1)
            answers.set(answer(BOTH, ""))
            await tried.until(lambda times: times == 1)
            await proxy.times.until(lambda times: times == 2)
            assert [dict(partners) for _, _, partners in proxy.given] == [{"partner": "pem"}, {}]
            await tried.until(lambda times: times == 3)
            await kept.until(lambda partners: partners == ())
            for each in started:
                each.cancel()

    run(scene)
