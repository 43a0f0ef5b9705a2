"""What the nodes said last of the roots they trust and use: read from their leases, so also what other control
planes of the store heard, and what this one heard before it was started again. Called by the rotation.
"""

import msgspec

from proa.control_plane.rotation import Report
from proa.ports.lease_store import LeaseStore


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a NodeState that is of interest; the rest, which is most of it, is skipped."""

    trusts: tuple[str, ...] = ()
    uses: tuple[str, ...] | None = None


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A lease's bytes as `control_plane.leases` writes them."""

    state: _Said


class TrustReports:
    """Holds nothing but the store."""

    def __init__(self, store: LeaseStore) -> None:
        self._store = store

    async def read(self) -> dict[str, Report]:
        """By node. One whose lease cannot be read has said nothing. Raises StoreFailure."""
        found: dict[str, Report] = {}
        for lease in await self._store.leases():
            try:
                said = msgspec.json.decode(lease.state, type=_Kept).state
            except msgspec.DecodeError:
                continue
            uses = None if said.uses is None else frozenset(said.uses)
            found[lease.node] = Report(trusts=frozenset(said.trusts), uses=uses)
        return found
