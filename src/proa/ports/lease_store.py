"""What nodes run, kept over restarts of the control plane: the last word of each node.

The registrations' owner writes it and reads it once, at its start; where several control planes share a store each
follows what the others write. A lease is a node's whole state in the session protocol's own bytes; the store does not
look inside. Its time is when the state was heard, for people: how long a lease holds is counted from the reader's
start and never from a clock of the past.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is a NodeState message as it was received; `time` is unix seconds."""

    node: str
    state: bytes
    time: float


class LeaseStore(Protocol):
    """Every method may raise StoreTemporary or StorePermanent, and has then changed nothing."""

    async def leases(self) -> tuple[Lease, ...]:
        """All of them, by node."""

    async def put_lease(self, lease: Lease) -> None:
        """Takes the place of the node's last one; durable when it returns."""

    async def remove_lease(self, node: str, state: bytes | None = None) -> bool:
        """False when the node had none, or, with `state`, when its state is another one by now."""


class SharedLeaseStore(LeaseStore, Protocol):
    """One that others write too."""

    def watch_leases(self) -> AsyncGenerator[tuple[Lease, ...]]:
        """Level-triggered: all leases at once, then whenever one has changed, whoever changed it. Yields nothing while
        the store cannot be reached. Ends when it closes."""
