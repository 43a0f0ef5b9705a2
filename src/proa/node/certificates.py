"""Keeps one certificate good: loads it, asks for it, renews it at half life, each time with a new key.

One Keeper for the node itself and one per workload; who uses the certificate follows the cell.
"""

import asyncio
import logging
import random
import time
from pathlib import Path
from typing import Final, Protocol

from proa.core.auth.rotation import State, renew_at, state_of
from proa.core.auth.spiffe import SpiffeId
from proa.core.model.names import WorkloadId
from proa.core.sidecar.retry import retry_after
from proa.core.sidecar.session import SignReply
from proa.node.credentials import BadCredential, Credential, NewKey, load_credential, save_credential
from proa.node.uplink import SignRefused, SignUnreachable
from proa.runtime.backoff import Backoff
from proa.runtime.cell import Cell
from proa.runtime.polling import sleep_until

log = logging.getLogger("proa.node.certificates")

SHORTEST_S: Final = 1.0
AWAY_S: Final = 3.0
"""So long a start waits for a fresh certificate when the stored one still serves."""
LOOK_S: Final = 30.0
"""Longest sleep between looks at the clock: a laptop that was closed for hours renews soon after."""


class Signer(Protocol):
    async def sign(self, workload: WorkloadId | None, csr_pem: str) -> SignReply:
        """Raises SignRefused, SignUnreachable."""


class Keeper:
    """`workload` None means the node itself. `trusted_roots` are those a stored certificate must come with to
    be used: another mesh, or a new root, makes it worthless. `credential` is owned by this object."""

    def __init__(
        self,
        *,
        signer: Signer,
        workload: WorkloadId | None,
        identity: SpiffeId,
        path: Path,
        trusted_roots: str,
        current: Credential | None = None,
    ) -> None:
        self._signer = signer
        self._workload = workload
        self._identity = identity
        self._path = path
        self._trusted_roots = trusted_roots
        self._jitter = random.random()
        self._is_late = False
        self.credential: Cell[Credential | None] = Cell(current)

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
        self.credential.set(stored)
        return stored

    async def keep(self) -> None:
        """Until cancelled. A refusal is tried again too: grants change."""
        while True:
            credential = self.credential.value
            if credential is not None and not self._is_late:
                await sleep_until(time.time, next_renewal(credential, time.time(), self._jitter), LOOK_S)
            try:
                await self._renew()
                self._is_late = False
            except SignRefused as refused:
                log.error("%s: certificate not renewed: %s", self._identity, refused)
                await asyncio.sleep(LOOK_S)

    async def _renew(self) -> Credential:
        backoff = Backoff(random.random, longest=5.0)
        while True:
            key = await asyncio.to_thread(NewKey, self._identity)
            try:
                reply = await self._signer.sign(self._workload, key.csr_pem)
                old = self.credential.value
                credential = key.credential(
                    reply.chain_pem,
                    dict(reply.root_bundles),
                    node=old.node if old else "",
                    servers=old.servers if old else (),
                )
                break
            except (SignUnreachable, BadCredential) as error:
                log.warning("%s: no certificate yet: %s", self._identity, error)
                told = retry_after(str(error))
            await asyncio.sleep(backoff.next(told))
        try:
            await asyncio.to_thread(save_credential, self._path, credential)
        except OSError as error:  # a full disk: it is good in memory, and a restart only asks for another
            log.error("%s: certificate not kept on disk: %s", self._identity, error)
        self.credential.set(credential)
        log.info("%s: certificate until %d", self._identity, credential.not_after)
        return credential

    def _state_of(self, stored: Credential) -> State:
        """A certificate of another identity or mesh is as good as expired."""
        is_ours = stored.identity == str(self._identity)
        if not is_ours or stored.roots_pem.strip() != self._trusted_roots.strip():
            return "expired"
        return state_of(stored.not_before, stored.not_after, time.time())


def next_renewal(credential: Credential, now: float, jitter: float) -> float:
    """Half life; when that is over already for a certificate just got (it is backdated for clocks that differ, and
    a short life may lie in the backdating), half of what is left, and never at once: no loop of renewals."""
    due = renew_at(credential.not_before, credential.not_after, jitter)
    return due if due > now else now + max(SHORTEST_S, (credential.not_after - now) / 2)
