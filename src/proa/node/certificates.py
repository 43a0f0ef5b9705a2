"""Keeps one certificate good: loads it, asks for it, renews it at half life, each time with a new key.

One Keeper for the node itself and one per workload; who uses the certificate follows the cell.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from pathlib import Path
from typing import Final, Protocol

import msgspec
from cryptography import x509

from proa.core.auth.rotation import State, renew_at, state_of
from proa.core.auth.spiffe import SpiffeId
from proa.core.model.names import WorkloadId
from proa.core.sidecar.retry import retry_after
from proa.core.sidecar.session import SignReply
from proa.node.credentials import BadCredential, Credential, NewKey, load_credential, save_credential
from proa.node.trust import NodeTrust
from proa.node.uplink import SignRefused, SignUnreachable
from proa.runtime.backoff import Backoff
from proa.runtime.cell import Cell
from proa.runtime.polling import sleep_until
from proa.runtime.races import first_of

log = logging.getLogger("proa.node.certificates")

SHORTEST_S: Final = 1.0
AWAY_S: Final = 3.0
"""So long a start waits for a fresh certificate when the stored one still serves."""
LOOK_S: Final = 30.0
"""Longest sleep between looks at the clock: a laptop that was closed for hours renews soon after."""
FOLLOW_S: Final = 60.0
"""Within so long all certificates of the mesh follow a new root."""


class Signer(Protocol):
    async def sign(self, workload: WorkloadId | None, csr_pem: str) -> SignReply:
        """Raises SignRefused, SignUnreachable."""


class Keeper:
    """`workload` None means the node itself. A certificate is of use when it leads to one of `trust`'s roots: that of
    another mesh, or under a root that was retired, is worthless. `credential` is owned by this object; `renewals`
    counts how asking ended."""

    def __init__(
        self,
        *,
        signer: Signer,
        workload: WorkloadId | None,
        identity: SpiffeId,
        path: Path,
        trust: NodeTrust,
        current: Credential | None = None,
        renewals: Counter[str] | None = None,
    ) -> None:
        self._signer = signer
        self._workload = workload
        self._identity = identity
        self._path = path
        self._trust = trust
        self._saving = asyncio.Lock()
        self._renewals = renewals if renewals is not None else Counter()
        self._jitter = random.random()
        self._is_late = False
        self._on_disk = ""
        self.credential: Cell[Credential | None] = Cell(None)
        if current is not None:
            self._set(current, is_kept=True)

    async def obtain(self) -> Credential:
        """The stored certificate when it is still good for a while, else a new one; waits for the control plane
        if it must: when it is away, a certificate past its half life serves until it ends. Raises SignRefused."""
        stored = await asyncio.to_thread(load_credential, self._path)
        state = "expired" if stored is None else self._state_of(stored)
        if stored is None or state == "expired":
            return await self._renew()
        if state == "due":
            try:
                async with asyncio.timeout(AWAY_S):
                    return await self._renew()
            except TimeoutError:
                log.warning("%s: used past its half life until it can be renewed", self._identity)
                self._is_late = True
        self._set(msgspec.structs.replace(stored, bundles=self._trust.bundles.value), is_kept=True)
        return stored

    async def keep(self) -> None:
        """Until cancelled. A refusal is tried again too: grants change."""
        try:
            while True:
                credential = self.credential.value
                if credential is not None and not self._is_late:
                    due = next_renewal(credential, time.time(), self._jitter)
                    await first_of(
                        sleep_until(time.time, due, LOOK_S),
                        self._outlived(credential),
                        self._revoked(credential),
                    )
                try:
                    await self._renew()
                    self._is_late = False
                except SignRefused as refused:
                    log.error("%s: certificate not renewed: %s", self._identity, refused)
                    await asyncio.sleep(self._patience())
        finally:
            self._trust.forget(str(self._path))

    async def keep_bundles(self, bundles: dict[str, str]) -> None:
        """Other roots beside the same certificate, on disk first. Raises OSError; nothing has changed then."""
        async with self._saving:
            credential = self.credential.value
            if credential is not None:
                credential = msgspec.structs.replace(credential, bundles=bundles)
                await asyncio.to_thread(save_credential, self._path, credential)
                self._set(credential, is_kept=True)

    async def move_to(self, servers: tuple[str, ...]) -> None:
        """The control planes are there now. On disk for the next start, if that can be."""
        async with self._saving:
            credential = self.credential.value
            if credential is None or credential.servers == servers:
                return
            credential = msgspec.structs.replace(credential, servers=servers)
            self.credential.set(credential)
            try:
                await asyncio.to_thread(save_credential, self._path, credential)
            except OSError as error:
                log.error("where the control planes are is not kept on disk: %s", error)

    async def _outlived(self, credential: Credential) -> None:
        """Returns when the control plane signs under another root, and it is our turn to follow: not all at once."""
        root = self._trust.root_of(credential.chain_pem)
        await self._trust.signing_root.until(lambda signing: signing not in ("", root))
        life = credential.not_after - credential.not_before
        await asyncio.sleep(random.random() * min(FOLLOW_S, life / 10))

    async def _revoked(self, credential: Credential) -> None:
        """Returns when the control plane says that peers refuse this certificate: another key, at once."""
        serial = serial_of(credential.chain_pem)
        await self._trust.renew.until(lambda serials: serial in serials)
        log.warning("%s: certificate %s is revoked, making another key", self._identity, serial)

    def _patience(self) -> float:
        """After a refusal: long for a long life."""
        credential = self.credential.value
        left = 0.0 if credential is None else credential.not_after - time.time()
        return min(LOOK_S, max(SHORTEST_S, left / 4))

    def _set(self, credential: Credential, *, is_kept: bool) -> None:
        root = self._trust.root_of(credential.chain_pem)
        self._on_disk = root if is_kept else self._on_disk
        self._trust.used_by(str(self._path), frozenset({root, self._on_disk}))
        self.credential.set(credential)

    async def _renew(self) -> Credential:
        backoff = Backoff(random.random, longest=5.0)
        while True:
            key = await asyncio.to_thread(NewKey, self._identity)
            try:
                reply = await self._signer.sign(self._workload, key.csr_pem)
                old = self.credential.value
                credential = key.credential(
                    reply.chain_pem,
                    self._trust.bundles.value,
                    node=old.node if old else "",
                    servers=old.servers if old else (),
                    token=old.token if old else "",
                )
                if not self._trust.root_of(reply.chain_pem):
                    raise BadCredential("it was signed under a root that this node does not know (yet)")
                break
            except SignRefused:
                self._renewals["refused"] += 1
                raise
            except (SignUnreachable, BadCredential) as error:
                self._renewals["failed"] += 1
                log.warning("%s: no certificate yet: %s", self._identity, error)
                told = retry_after(str(error))
            await asyncio.sleep(backoff.next(told))
        async with self._saving:
            credential = msgspec.structs.replace(credential, bundles=self._trust.bundles.value)
            is_kept = True
            try:
                await asyncio.to_thread(save_credential, self._path, credential)
            except OSError as error:  # a full disk: it is good in memory, and a restart only asks for another
                log.error("%s: certificate not kept on disk: %s", self._identity, error)
                is_kept = False
            self._set(credential, is_kept=is_kept)
        self._renewals["renewed"] += 1
        log.info("%s: certificate until %d", self._identity, credential.not_after)
        return credential

    def _state_of(self, stored: Credential) -> State:
        """A certificate of another identity or mesh is as good as expired."""
        is_ours = stored.identity == str(self._identity)
        if not is_ours or not self._trust.root_of(stored.chain_pem):
            return "expired"
        return state_of(stored.not_before, stored.not_after, time.time())


def serial_of(chain_pem: str) -> str:
    """Of the leaf, in lower-case hex as the authority writes it."""
    return f"{x509.load_pem_x509_certificate(chain_pem.encode()).serial_number:x}"


def next_renewal(credential: Credential, now: float, jitter: float) -> float:
    """Half life; when that is over already for a certificate just got (it is backdated for clocks that differ, and
    a short life may lie in the backdating), half of what is left, and never at once: no loop of renewals."""
    due = renew_at(credential.not_before, credential.not_after, jitter)
    return due if due > now else now + max(SHORTEST_S, (credential.not_after - now) / 2)
