"""Registrations over a restart, and from one control plane to the next: each node's last word, written behind.

A control plane that starts knows its workloads before any node is back, so that proxies which reconnect are told of
endpoints on nodes that have not. Nothing read here expires before one whole lease has passed since this start: how
long the control plane itself was away is no node's fault.

Where several control planes share the store each follows the leases of the others' nodes as if it heard them itself.
A node's sessions are numbered: the control plane with the newest one holds the node, and one that sees a newer number
gives it up, so that whoever hears of the end of an old line late disturbs nobody. When the holder itself is gone, the
node's silence begins for all who remain.

Writing is latest-value: a node that speaks often while the disk is slow costs one write, not a queue of them. A
state that was answered and not yet written when this process dies is said again by its node.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from proa.control_plane.registrations import Registrations
from proa.core.model.names import WorkloadId, parse_workload_id
from proa.core.sidecar.session import MessageError, NodeState, decode, encode
from proa.ports.failures import StoreTemporary
from proa.ports.lease_store import Lease, LeaseStore, SharedLeaseStore
from proa.servers.authority.node import NodeLine

RETRY_S: Final = 1.0
"""After a write that failed for the time being (a full disk)."""

log = logging.getLogger("proa.control_plane.leases")


class _Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a lease's bytes hold. `is_local`: the node speaks from its holder's host. `holder` is the control plane that
    has its session, `session` that one's number, `since` the registrations' stamps of its workloads."""

    is_local: bool
    state: msgspec.Raw
    holder: str = ""
    session: int = 0
    since: dict[str, int] = {}


class _Known(msgspec.Struct):
    """A lease as it stands in the store, as far as we know. `line` is what the registrations heard it on, None for our
    own nodes; `was_present`: whether its holder was there when they did."""

    lease: Lease
    holder: str
    session: int
    line: NodeLine | None = None
    was_present: bool = False


class _Own(msgspec.Struct):
    """A session that is open here."""

    line: NodeLine
    session: int


class Leases:
    """Owner of what is still to be written; its `run` is the only writer. `name` is this control plane's among others,
    and `leads` says whether it removes the leases of nodes that nobody holds."""

    def __init__(
        self,
        store: LeaseStore,
        clock: Callable[[], float],
        *,
        name: str = "",
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._leads = leads
        self._waiting: dict[str, Lease | None] = {}
        self._wake = asyncio.Event()
        self._known: dict[str, _Known] = {}
        self._own: dict[str, _Own] = {}
        self._over: set[str] = set()
        self._present: frozenset[str] = frozenset()

    # -- what is read --

    async def restore(self, registrations: Registrations) -> int:
        """Tell the registrations what the nodes said last; the number of nodes. Grants and policies must be known to
        them already. A lease that this program cannot read is left out: its node will say it again."""
        leases = await self._store.leases()
        for lease in leases:
            self._hear(registrations, lease)
        return len(self._known)

    async def follow(self, store: SharedLeaseStore, registrations: Registrations) -> None:
        """What others write, into the registrations, until the store closes."""
        async for leases in store.watch_leases():
            for lease in leases:
                known = self._known.get(lease.node)
                if known is None or known.lease.state != lease.state:
                    self._hear(registrations, lease)
            for node in self._known.keys() - {lease.node for lease in leases}:
                self._gone(registrations, node)

    def _hear(self, registrations: Registrations, lease: Lease) -> None:
        """A lease is news. Of a node whose newest session is ours the store is told again; any other is taken."""
        try:
            kept = msgspec.json.decode(lease.state, type=_Kept)
            state = decode(bytes(kept.state), NodeState)
        except (msgspec.DecodeError, MessageError) as error:
            log.warning("the lease of node %s cannot be read and is left out: %s", lease.node, error)
            return
        own, waiting = self._own.get(lease.node), self._waiting.get(lease.node)
        if own is not None and (own.session, self._name) >= (kept.session, kept.holder):
            if kept.holder != self._name and waiting is None:
                self._put(lease.node, self._written(lease.node))
            return
        if own is not None:
            log.info("node %s has gone to control plane %s", lease.node, kept.holder)
            del self._own[lease.node]
        self._waiting.pop(lease.node, None)
        self._over.discard(lease.node)
        since = {parse_workload_id(name): stamp for name, stamp in kept.since.items()}
        line = NodeLine(node=lease.node, is_local=kept.is_local)
        is_present = kept.holder in self._present
        self._known[lease.node] = _Known(
            lease=lease, holder=kept.holder, session=kept.session, line=line, was_present=is_present
        )
        registrations.heard(line, state, since)
        if not is_present:
            registrations.left(line)

    def _written(self, node: str) -> Lease:
        return self._known[node].lease

    def _gone(self, registrations: Registrations, node: str) -> None:
        """Somebody removed a lease. One of a node that speaks here is written again."""
        known = self._known[node]
        if node in self._own:
            if node not in self._waiting:
                self._put(node, known.lease)
            return
        del self._known[node]
        self._over.discard(node)
        if known.line is not None:
            registrations.forget(node)

    def set_present(self, names: Iterable[str], registrations: Registrations) -> None:
        """Which control planes there are. The nodes of one that is gone are silent from now on; those of one that is
        back (its line was broken, not it) are not."""
        self._present = frozenset(names) - {self._name}
        for known in self._known.values():
            is_present = known.holder in self._present
            if known.line is None or is_present == known.was_present:
                continue
            known.was_present = is_present
            if is_present:
                registrations.resumed(known.line)
            else:
                registrations.left(known.line)

    def holder_of(self, node: str) -> str:
        """The other control plane that holds a node's session now; "" when none does, or we do."""
        known = self._known.get(node)
        if known is None or known.line is None or node in self._own:
            return ""
        return known.holder if known.holder in self._present else ""

    def holders(self) -> frozenset[str]:
        """The other control planes that hold nodes now."""
        return frozenset(holder for node in self._known if (holder := self.holder_of(node)))

    # -- what is written --

    def remember(
        self, line: NodeLine, state: NodeState, since: Mapping[WorkloadId, int] | None = None
    ) -> None:
        """A node spoke; soon on disk."""
        own = self._own.get(line.node)
        if own is None or own.line is not line:
            known = self._known.get(line.node)
            newest = max(known.session if known else 0, own.session if own else 0)
            own = self._own[line.node] = _Own(line=line, session=newest + 1)
        kept = _Kept(
            is_local=line.is_local,
            state=msgspec.Raw(encode(state)),
            holder=self._name,
            session=own.session,
            since={str(workload): stamp for workload, stamp in (since or {}).items()},
        )
        lease = Lease(node=line.node, state=msgspec.json.encode(kept), time=self._clock())
        self._known[line.node] = _Known(lease=lease, holder=self._name, session=own.session)
        self._over.discard(line.node)
        self._put(line.node, lease)

    def left(self, line: NodeLine) -> None:
        """A session ended here."""
        own = self._own.get(line.node)
        if own is not None and own.line is line:
            del self._own[line.node]

    def forget(self, node: str) -> None:
        """A node's lease is over. Of a node that was another control plane's the leader removes it."""
        known = self._known.get(node)
        if known is None or known.holder == self._name:
            self._put(node, None)
        else:
            self._over.add(node)
            self.remove_over()

    def remove_over(self) -> None:
        """To be called now and then: who leads may have changed since a lease was over."""
        if self._over and self._leads():
            for node in self._over:
                self._put(node, None)
            self._over.clear()

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
                known = self._known.get(node)
                await self._store.remove_lease(node, known.lease.state if known else None)
            else:
                await self._store.put_lease(lease)
            if node in self._waiting and self._waiting[node] is lease:
                del self._waiting[node]
                if lease is None and node not in self._own:
                    self._known.pop(node, None)
