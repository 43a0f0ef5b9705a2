"""Registrations over a restart: each node's last word, written behind, read once at the start.

A restarted control plane knows its workloads before any node is back, so that proxies which reconnect are told of
endpoints on nodes that have not. Nothing read here expires before one whole lease has passed since this start: how
long the control plane itself was away is no node's fault.

Writing is latest-value: a node that speaks often while the disk is slow costs one write, not a queue of them. A
state that was answered and not yet written when this process dies is said again by its node.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from proa.control_plane.registrations import Registrations
from proa.core.sidecar.session import MessageError, NodeState, decode, encode
from proa.ports.failures import StoreTemporary
from proa.ports.lease_store import Lease, LeaseStore
from proa.servers.authority.node import NodeLine

RETRY_S: Final = 1.0
"""After a write that failed for the time being (a full disk)."""

log = logging.getLogger("proa.control_plane.leases")


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a lease's bytes hold. `is_local`: the node speaks from this host."""

    is_local: bool
    state: msgspec.Raw


class Leases:
    """Owner of what is still to be written; its `run` is the only writer."""

    def __init__(self, store: LeaseStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[str, Lease | None] = {}
        self._wake = asyncio.Event()

    async def restore(self, registrations: Registrations) -> int:
        """Tell the registrations what the nodes said last; the number of nodes. Grants and policies must be known to
        them already. A lease that this program cannot read is left out: its node will say it again."""
        restored = 0
        for lease in await self._store.leases():
            try:
                kept = msgspec.json.decode(lease.state, type=_Kept)
                state = decode(bytes(kept.state), NodeState)
            except (msgspec.DecodeError, MessageError) as error:
                log.warning("the lease of node %s cannot be read and is left out: %s", lease.node, error)
                continue
            line = NodeLine(node=lease.node, is_local=kept.is_local)
            registrations.heard(line, state)
            registrations.left(line)
            restored += 1
        return restored

    def remember(self, line: NodeLine, state: NodeState) -> None:
        """A node spoke; soon on disk."""
        kept = _Kept(is_local=line.is_local, state=msgspec.Raw(encode(state)))
        self._put(line.node, Lease(node=line.node, state=msgspec.json.encode(kept), time=self._clock()))

    def forget(self, node: str) -> None:
        """A node's lease is over."""
        self._put(node, None)

    def _put(self, node: str, lease: Lease | None) -> None:
        self._waiting[node] = lease
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled. A permanent failure of the store propagates: going on would lose what is promised."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.flush()
            except StoreTemporary as error:
                log.warning("leases wait to be written: %s", error)
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def flush(self) -> None:
        """Write everything that waits. Raises StoreTemporary; what is not written then still waits."""
        while self._waiting:
            node, lease = next(iter(self._waiting.items()))
            if lease is None:
                await self._store.remove_lease(node)
            else:
                await self._store.put_lease(lease)
            if self._waiting.get(node) is lease:
                del self._waiting[node]
