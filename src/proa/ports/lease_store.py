"""What nodes run, kept over restarts of the control plane: the last word of each node.

The registrations' owner writes it and reads it once, at its start. A lease is a node's whole state in the session
protocol's own bytes; the store does not look inside. Its time is when the state was heard, for people: how long a
lease holds is counted from the reader's start and never from a clock of the past.
"""

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

    async def remove_lease(self, node: str) -> bool:
        """False when the node had none."""
