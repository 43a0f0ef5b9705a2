"""Moves the CA from one root to the next, and from one intermediate to the next: on command, when it is time, and when
the operator has replaced the files of a CA that was brought.

What is due `core.auth.root_rotation` decides; here the facts are gathered, the step is written into the audit and then
carried out. All that a step needs is in the stores, so that a restart or another control plane goes on where this one
stopped. Only the leader takes steps; the others follow what it did.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from proa.control_plane.authority import Authority
from proa.control_plane.keyring import Clock
from proa.control_plane.plugged_files import BroughtCa
from proa.core.auth.ca import Ca, to_pem
from proa.core.auth.operators import ASKED
from proa.core.auth.plugged import Unusable
from proa.core.auth.root_rotation import (
    Activate,
    Holder,
    Pace,
    Retire,
    Root,
    Step,
    Wait,
    next_step,
    phase_of,
)
from proa.core.auth.roots import root_sha256
from proa.core.auth.rotation import state_of
from proa.core.auth.spiffe import control_plane_id, node_id
from proa.core.auth.template import IssuanceError
from proa.ports.authority_store import AuthorityEvent, AuthorityStore, EventKind
from proa.ports.failures import StoreFailure
from proa.runtime.cell import Cell

CLOCK = "proa"
"""Who asked, when nobody did."""
_FROM_FILES = (
    "the CA is the one that was named at this control plane's start (--ca-cert, --ca-vault): replace its files, and the"
    " mesh follows by itself"
)

log = logging.getLogger("proa.control_plane.rotation")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A node's last word: digests of the roots that all of it trusts, and of those under which its certificates are."""

    trusts: frozenset[str] = frozenset()
    uses: frozenset[str] | None = None


class RotationRefused(Exception):
    """The text says why, and what to do."""


class Rotation:
    """`waiting` are the reasons why the next step is not taken. Its `run` is the only one that takes steps; commands
    only prepare."""

    def __init__(
        self,
        *,
        authority: Authority,
        store: AuthorityStore,
        reports: Callable[[], Awaitable[Mapping[str, Report]]],
        own: Callable[[], frozenset[str]],
        clock: Clock,
        pace: Pace,
        is_leader: Callable[[], bool] = lambda: True,
        plugged: BroughtCa | None = None,
    ) -> None:
        self._authority = authority
        self._keyring = authority.keyring
        self._store = store
        self._reports = reports
        self._own = own
        self._clock = clock
        self._pace = pace
        self._is_leader = is_leader
        self._plugged = plugged
        self._commands = asyncio.Lock()
        self.waiting: Cell[tuple[str, ...]] = Cell(())

    @property
    def tick_s(self) -> float:
        """How often it looks: several times in the least time of a phase, and at most every five seconds."""
        return min(5.0, self._pace.hold_s / 4)

    # -- commands --

    async def rotate_root(self, asked_by: str) -> Root:
        """Prepares a new root; the rest follows by itself. One that is under way already is answered with its new root.
        Raises RotationRefused."""
        async with self._commands:
            self._check_leader()
            if self._plugged is not None:
                raise RotationRefused(_FROM_FILES)
            active = self._keyring.active.root
            for root in self._keyring.roots:
                phase = phase_of(root, active)
                if phase == "prepared":
                    return root
                if phase == "retiring":
                    raise RotationRefused(
                        f"the rotation before is not over: root {root.digest[:16]} is still trusted. "
                        "`proa certificate list` tells what it waits for"
                    )
            return await self._prepare(None, asked_by, "a new root on command")

    async def rotate_intermediate(self, asked_by: str) -> Ca:
        """Raises RotationRefused."""
        async with self._commands:
            self._check_leader()
            if self._keyring.active.is_plugged:
                raise RotationRefused(
                    _FROM_FILES
                    if self._plugged is not None
                    else "the signing CA is the operator's: bring another by `proa certificate plug`"
                )
            signer = await self._keyring.renew_signer()
            assert signer is not None, "no CA that was brought"
            serial = f"{signer.certificate.serial_number:x}"
            await self._note("signer-replaced", serial, asked_by, "a new intermediate on command")
            return signer

    async def plug(self, brought: Ca, asked_by: str) -> None:
        """As `adopt`, for a CA that comes by a command. Raises RotationRefused."""
        self._check_leader()
        if self._plugged is not None:
            raise RotationRefused(_FROM_FILES)
        await self.adopt(brought, asked_by)

    async def adopt(self, brought: Ca, asked_by: str = CLOCK) -> None:
        """Make the operator's CA the signing one: at once when its root is trusted already, else after an overlap."""
        if not self._is_leader():
            if self._plugged is not None:
                self._plugged.look_again()  # when this control plane leads one day
            return
        async with self._commands:
            active = self._keyring.active
            digest = root_sha256(to_pem(brought.root))
            for kept in self._keyring.kept:
                if kept.root.digest != digest or phase_of(kept.root, active.root) == "retiring":
                    continue
                if kept.ca.certificate != brought.certificate or kept.ca.issuers != brought.issuers:
                    serial = f"{brought.certificate.serial_number:x}"
                    await self._note(
                        "signer-replaced", serial, asked_by, "the operator's CA, under a known root"
                    )
                    await self._keyring.exchange(kept, brought)
                return
            await self._prepare(brought, asked_by, "the operator's CA")

    # -- the clock --

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except (StoreFailure, IssuanceError, OSError) as error:
                log.error("the CA's keys are not looked after for now: %s", error)
            await asyncio.sleep(self.tick_s)

    async def look(self) -> Step | None:
        """Take the step that is due, if this control plane is to take it. Raises StoreFailure, IssuanceError."""
        await self._keyring.refresh()
        if not self._is_leader():
            return None
        await self._look_at_files()
        now = self._clock()
        if len(self._keyring.roots) == 1:
            self.waiting.set(())
            kept = self._keyring.active
            due = state_of(kept.ca.not_before, kept.root.not_after, now) != "valid"
            if due and not kept.is_plugged:
                await self._prepare(None, CLOCK, "the root is at its half life")
            return None
        step = next_step(self._keyring.roots, await self._holders(now), self._own(), now, self._pace)
        await self._take(step)
        return step

    async def _look_at_files(self) -> None:
        if self._plugged is None:
            return
        news = await self._plugged.news(self._clock())
        if isinstance(news, Unusable):
            log.error(
                "the replaced files of the CA cannot be used, the CA before goes on: %s",
                "; ".join(news.faults),
            )
        elif news is not None:
            await self.adopt(news)

    async def _holders(self, now: float) -> tuple[Holder, ...]:
        trust_domain = self._authority.trust_domain
        reports = {
            str(node_id(trust_domain, node)): report for node, report in (await self._reports()).items()
        }
        own = str(control_plane_id(trust_domain))
        silent = Report()
        return tuple(
            Holder(
                name=name.rpartition("/proa/")[2].replace("/", " "),
                until=until,
                trusts=reports.get(name, silent).trusts,
                uses=reports.get(name, silent).uses,
            )
            for name, until in (await self._store.holders(now - self._pace.skew_s)).items()
            # An operator is told that his root is gone; nobody of the mesh is his peer.
            if name != own and not name.startswith(ASKED)
        )

    async def _take(self, step: Step) -> None:
        match step:
            case Activate(root=root):
                await self._note(
                    "root-activated", root.digest, CLOCK, "everybody trusts it; it signs from now on"
                )
                await self._keyring.activate(root)
                log.info("root %s signs from now on", root.digest[:16])
            case Retire(root=root):
                await self._note("root-retired", root.digest, CLOCK, "nobody uses it; it is trusted no more")
                await self._keyring.retire(root)
                log.info("root %s is trusted no more", root.digest[:16])
            case _:
                pass
        reasons = step.reasons if isinstance(step, Wait) else ()
        if self.waiting.set(reasons) and reasons:
            log.info("the rotation of the root waits: %s", "; ".join(reasons[:5]))

    async def _prepare(self, brought: Ca | None, asked_by: str, why: str) -> Root:
        kept = await self._keyring.prepare(brought)
        await self._note("root-prepared", kept.root.digest, asked_by, why)
        log.info("root %s is prepared: %s", kept.root.digest[:16], why)
        return kept.root

    async def _note(self, kind: EventKind, subject: str, asked_by: str, detail: str) -> None:
        event = AuthorityEvent(
            time=self._clock(), kind=kind, subject=subject, asked_by=asked_by, detail=detail
        )
        await self._store.record_event(event)

    def _check_leader(self) -> None:
        if not self._is_leader():
            raise RotationRefused("another control plane leads this mesh; ask there")
