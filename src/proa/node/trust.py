"""The roots that this node trusts, and what it tells the control plane of them.

The control plane says in each answer of the session which roots the mesh has, and which partners' roots are believed by
workloads of which namespaces here. They are written to disk first, then the
agent and every proxy take them. Only what all of the node has taken is reported as trusted, and a root counts as used
until the last proxy presents a certificate under another: the rotation of roots rests on these two lists.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec
from immutables import Map

from proa.core.auth.roots import root_digests, signing_root
from proa.core.pilot.resource import Resource
from proa.core.sidecar import secrets
from proa.core.sidecar.session import PartnerBundle, SessionState
from proa.node.credentials import Credential
from proa.runtime.cell import Cell
from proa.runtime.races import first_of

RETRY_S: Final = 2.0
"""After roots that could not be written (a full disk): until they are, they are not trusted here."""
NODE: Final = "(node)"
"""The agent itself, among those who check and present certificates."""

Keep = Callable[[dict[str, str]], Awaitable[None]]
KeepPartners = Callable[[tuple[PartnerBundle, ...]], Awaitable[None]]
"""These write to disk. They raise OSError."""

log = logging.getLogger("proa.node.trust")


class TrustReport(msgspec.Struct, frozen=True, kw_only=True):
    """Digests of roots, sorted: those that all of the node trusts, and those that any of its certificates is under."""

    trusts: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


class NodeTrust:
    """`bundles` (trust domain -> PEM) are those in force, `signing_root` the digest of the root that the control plane
    signs under ("" while it has not said), `renew` are serials of ours that are revoked. `report` follows everybody's
    word. `partners` are bundles of other trust domains, for some namespaces each. All on one event loop."""

    def __init__(
        self, trust_domain: str, bundles: Mapping[str, str], partners: tuple[PartnerBundle, ...] = ()
    ) -> None:
        self._trust_domain = trust_domain
        self._trusting: dict[str, frozenset[str]] = {}
        self._using: dict[str, frozenset[str]] = {}
        self.bundles: Cell[dict[str, str]] = Cell(dict(bundles))
        self.partners: Cell[tuple[PartnerBundle, ...]] = Cell(partners)
        self._kept_partners = partners
        self.signing_root: Cell[str] = Cell("")
        self.renew: Cell[frozenset[str]] = Cell(frozenset())
        self.report: Cell[TrustReport] = Cell(TrustReport())
        self.trusted_by(NODE)

    @property
    def roots_pem(self) -> str:
        return self.bundles.value[self._trust_domain]

    def partners_of(self, namespace: str) -> Map[str, str]:
        """By trust domain the roots that a namespace's workloads believe besides the mesh's. Never those of a domain of
        the mesh's own, whoever says so."""
        own = self.bundles.value
        return Map(
            {
                each.trust_domain: each.roots_pem
                for each in self.partners.value
                if namespace in each.namespaces and each.trust_domain not in own
            }
        )

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(root_digests(self.roots_pem))

    def root_of(self, chain_pem: str) -> str:
        """The digest of the trusted root that a chain leads to, "" when it leads to none."""
        return signing_root(chain_pem, self.roots_pem)

    def trusted_by(self, who: str, digests: frozenset[str] | None = None) -> None:
        """Somebody checks its peers against these roots and no others (those in force, when nothing is said)."""
        self._trusting[who] = self.digests if digests is None else digests
        self._tell()

    def used_by(self, who: str, roots: frozenset[str]) -> None:
        """All that somebody presents, or has on disk, is under these roots."""
        self._using[who] = roots - {""}
        self._tell()

    def expect(self, who: str) -> None:
        """Somebody runs already and has not been heard: it trusts nothing for sure, and may present anything."""
        self._trusting[who] = frozenset()
        self._using[who] = self.digests
        self._tell()

    def used_of(self, who: str) -> frozenset[str]:
        return self._using.get(who, frozenset())

    def forget(self, who: str) -> None:
        """It is gone."""
        self._trusting.pop(who, None)
        self._using.pop(who, None)
        self._tell()

    def _tell(self) -> None:
        every = frozenset.intersection(*self._trusting.values())
        used = frozenset[str]().union(*self._using.values())
        self.report.set(TrustReport(trusts=tuple(sorted(every)), uses=tuple(sorted(used))))

    async def follow(
        self, answers: Cell[SessionState | None], keep: Keep, keep_partners: KeepPartners
    ) -> None:
        """Take over what the control plane says, once `keep` has written it to disk. Of partners at once, and on disk
        after: one that was taken away must not be believed for as long as a disk is full. Until cancelled."""
        while True:
            seen = answers.version
            try:
                await self._take(answers.value, keep, keep_partners)
            except OSError as error:
                log.error("the mesh's new roots cannot be kept, trying again: %s", error)
                await asyncio.sleep(RETRY_S)
                continue
            await answers.changed(seen)

    async def _take(self, answer: SessionState | None, keep: Keep, keep_partners: KeepPartners) -> None:
        if answer is None:
            return
        if self.partners.set(answer.federated):
            log.info("%d other trust domains are known here now", len(answer.federated))
        bundles = dict(answer.bundles)
        if self._trust_domain in bundles and bundles != self.bundles.value:
            await keep(bundles)
            self.bundles.set(bundles)
            self.trusted_by(NODE)
            log.info("%d roots are trusted now", len(self.digests))
        if answer.signing_root in self.digests:
            self.signing_root.set(answer.signing_root)
        self.renew.set(frozenset(answer.renew))
        if answer.federated != self._kept_partners:
            await keep_partners(answer.federated)
            self._kept_partners = answer.federated


class Taker(Protocol):
    """Somebody beside the agent who presents a certificate and checks those of others: an Envoy, a program."""

    async def give(
        self, credential: Credential | None, bundles: Mapping[str, str], partners: Mapping[str, str]
    ) -> None:
        """Put these at its disposal, in place of what was there: the mesh's bundles, and those of partners."""

    async def taken(self) -> None:
        """Returns when it works with what was given last. May be cancelled."""


class EnvoySecrets:
    """A Taker: the Envoy behind a relay."""

    def __init__(self, relay: "SecretTable") -> None:
        self._relay = relay
        self._given: tuple[Resource, ...] = ()
        self._told: set[str] = set()

    async def give(
        self, credential: Credential | None, bundles: Mapping[str, str], partners: Mapping[str, str]
    ) -> None:
        # Roots first: a certificate under a new root is of use only to who trusts it.
        self._told.update(partners.keys())
        given = [secrets.build_roots(bundles), secrets.build_peer_roots(bundles, partners)]
        # One that was asked for once is never without an answer: a cluster would hang by it.
        given += (
            secrets.build_partner_roots(name, partners.get(name, ""), bundles) for name in sorted(self._told)
        )
        if credential is not None:
            given.append(secrets.build_identity(credential.key_pem, credential.chain_pem))
        for secret in given:
            self._relay.set_secret(secret)
        self._given = tuple(given)

    async def taken(self) -> None:
        await self._relay.took(*self._given)


class SecretTable(Protocol):
    """A relay, as far as it hands secrets to its Envoy."""

    def set_secret(self, secret: Resource) -> None: ...

    async def took(self, *taken: Resource) -> None:
        """Returns when the Envoy has these, or has said all that it wants, and they are not among it."""


async def hand_secrets(
    who: str,
    credential: Cell[Credential | None],
    trust: NodeTrust,
    taker: Taker,
    changed: Callable[[], None] = lambda: None,
    *,
    namespace: str,
) -> None:
    """Give somebody of a namespace its certificate and its roots, each time they are others, and report what it took.
    `changed` is called when the roots are. Until cancelled."""
    trust.trusted_by(who, frozenset())
    presented = trust.used_of(who)
    known: frozenset[str] = frozenset()
    try:
        while True:
            seen, version, partners = credential.version, trust.bundles.version, trust.partners.version
            now, digests = credential.value, trust.digests
            root = trust.root_of(now.chain_pem) if now is not None else ""
            trust.used_by(who, presented | {root})
            await taker.give(now, trust.bundles.value, trust.partners_of(namespace))
            if digests != known:
                known = digests
                changed()
            news = (
                (credential.changed, seen),
                (trust.bundles.changed, version),
                (trust.partners.changed, partners),
            )
            if await first_of(taker.taken(), *(changed_since(since) for changed_since, since in news)) == 0:
                trust.trusted_by(who, digests)
                presented = frozenset({root})
                trust.used_by(who, presented)
                await first_of(*(changed_since(since) for changed_since, since in news))
            else:
                presented |= {root}
    finally:
        trust.forget(who)
