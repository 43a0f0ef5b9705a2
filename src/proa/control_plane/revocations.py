"""Owner of what is revoked: takes commands, follows the store, and says to all who check certificates what holds now.

A revocation is in the store before anybody is told, so that it outlives this process and reaches the other control
planes. `revoked` is what everybody follows; it also changes when a revoked certificate has ended.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import msgspec

from proa.core.auth.revocation import (
    MAX_REASON,
    MOST,
    InvalidTarget,
    Revocation,
    Target,
    in_force,
    parse_target,
    refusal,
)
from proa.core.auth.spiffe import SCHEME, SpiffeId, node_of, parse_spiffe_id
from proa.core.model.revoked import Revoked
from proa.ports.authority_store import AuthorityEvent, AuthorityStore, Issuance
from proa.runtime.cell import Cell

LOOK_S: Final = 30.0
"""How often ended certificates are taken off the list: nothing but its length depends on it."""

log = logging.getLogger("proa.control_plane.revocations")


class RevocationRefused(Exception):
    """The text says why nothing was revoked, or taken back."""


class Revocations:
    """`revoked` holds from `load` on. All on one event loop."""

    def __init__(self, store: AuthorityStore, trust_domain: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._trust_domain = trust_domain
        self._clock = clock
        self._records: dict[str, Revocation] = {}
        self.revoked: Cell[Revoked] = Cell(Revoked())

    async def load(self) -> None:
        """What the store has. Raises StoreFailure."""
        self._take(await self._store.revocations())

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="revocations in the store")
            tasks.create_task(self._keep_time(), name="revocations that end")

    def refusal(self, *, serial: str = "", identity: str = "", names: tuple[str, ...] = ()) -> str:
        """Why who shows these is refused, "" when he is not."""
        return refusal(self.revoked.value, serial=serial, identity=identity, names=names)

    def to_renew(self, holder: SpiffeId) -> tuple[str, ...]:
        """Serials of a node's workloads that were revoked while the node itself is trusted: it makes new keys."""
        now, name = self._clock(), str(holder)
        found = (each for each in self._records.values() if each.holder == name and each.holds(now))
        return tuple(sorted(each.target.value for each in found))

    def records(self) -> tuple[Revocation, ...]:
        """Those that hold, the newest first."""
        now = self._clock()
        holding = (each for each in self._records.values() if each.holds(now))
        return tuple(sorted(holding, key=lambda each: (-each.time, each.key)))

    async def revoke(self, text: str, *, reason: str, author: str) -> tuple[Revocation, ...]:
        """What was added. A node's identity takes with it every certificate that it asked for. Raises
        RevocationRefused, StoreFailure."""
        target, now = self._target(text), self._clock()
        ends, holder = 0.0, ""
        if target.kind == "serial":
            issuance = await self._store.issuance(target.value)
            if issuance is None:
                raise RevocationRefused(f"no certificate with serial {target.value} was signed here")
            if issuance.not_after <= now:
                raise RevocationRefused(f"certificate {target.value} has ended already")
            ends, holder = issuance.not_after, _holder(issuance)
        first = Revocation(
            target=target, reason=reason[:MAX_REASON], author=author, time=now, ends=ends, holder=holder
        )
        with_it = [
            msgspec.structs.replace(first, target=Target("serial", each.serial), ends=each.not_after)
            for each in await self._asked_for(target, now)
        ]
        added = (first, *with_it)
        if len(self.records()) + len(added) > MOST:
            raise RevocationRefused(f"more than {MOST} revocations: rotate the root instead")
        for each in added:
            await self._store.put_revocation(each)
        await self._note("revoked", target, author, reason)
        self._take((*self._records.values(), *added))
        log.warning("%s is revoked by %s: %s", target, author, reason or "no reason given")
        return added

    async def restore(self, text: str, *, author: str) -> Revocation:
        """Takes one back; certificates that went with a node's identity stay revoked. Raises RevocationRefused."""
        target, now = self._target(text), self._clock()
        known = self._records.get(f"{target.kind}:{target.value}")
        if known is None or not known.holds(now):
            raise RevocationRefused(f"{target} is not revoked")
        lifted = msgspec.structs.replace(known, lifted=now)
        await self._store.put_revocation(lifted)
        await self._note("restored", target, author, "")
        self._take((*self._records.values(), lifted))
        log.warning("%s is restored by %s", target, author)
        return lifted

    async def _asked_for(self, target: Target, now: float) -> tuple[Issuance, ...]:
        if target.kind != "identity" or node_of(parse_spiffe_id(target.value)) is None:
            return ()
        return await self._store.issued_by(target.value, now, MOST)

    async def _note(self, kind: str, target: Target, author: str, reason: str) -> None:
        event = AuthorityEvent(
            time=self._clock(),
            kind="revoked" if kind == "revoked" else "restored",
            subject=target.value,
            asked_by=author,
            detail=reason[:MAX_REASON],
        )
        await self._store.record_event(event)

    def _target(self, text: str) -> Target:
        try:
            return parse_target(text, self._trust_domain)
        except InvalidTarget as error:
            raise RevocationRefused(str(error)) from None

    def _take(self, records: tuple[Revocation, ...]) -> None:
        self._records = {each.key: each for each in records}
        self.revoked.set(in_force(self._records.values(), self._trust_domain, self._clock()))

    async def _follow(self) -> None:
        async with aclosing(self._store.watch_revocations()) as every:
            async for records in every:
                self._take(records)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._take(tuple(self._records.values()))


def _holder(issuance: Issuance) -> str:
    """Who is told to make another key: the node that asked for a workload's. A node's own certificate has none: whoever
    proves himself by it is refused, and it joins anew."""
    if not issuance.asked_by.startswith(SCHEME) or issuance.asked_by == issuance.identity:
        return ""
    return issuance.asked_by
