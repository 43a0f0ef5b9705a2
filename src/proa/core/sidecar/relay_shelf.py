"""What the agent's relay keeps for one workload: per name the newest value, the last one the Envoy took, refusals.

The `ResourceSource` of the relay's downstream `DeltaServer`. `relay` alone changes it; it decides nothing about
when something is sent.
"""

from collections.abc import Iterable

import msgspec

from proa.core.pilot.resource import ORDER, Resource, ResourceType
from proa.core.pilot.xds.order import WILDCARD_TYPES

LOCAL_TYPES = frozenset((ResourceType.SECRET,))


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The Envoy below refused this version with this text."""

    version: str
    error: str


class _Rows:
    """The shelf's rows of one type."""

    __slots__ = ("absent", "is_complete", "newest", "proven", "refused")

    def __init__(self) -> None:
        self.newest: dict[str, Resource] = {}
        self.proven: dict[str, Resource] = {}  # what an Envoy ACKed
        self.absent: set[str] = set()  # what the control plane said does not exist
        self.refused: dict[str, Refusal] = {}
        self.is_complete = False  # the control plane has answered the wildcard


class Shelf:
    """Owner: one `RelayTable`."""

    def __init__(self, stored: Iterable[Resource]) -> None:
        self._rows = {kind: _Rows() for kind in ORDER}
        for resource in stored:
            rows = self._rows[resource.type]
            rows.newest[resource.name] = rows.proven[resource.name] = resource
            rows.is_complete = True

    # -- ResourceSource --

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        return self._rows[kind].newest.get(name)

    def names(self, kind: ResourceType) -> Iterable[str]:
        return tuple(self._rows[kind].newest)

    def knows(self, kind: ResourceType, name: str) -> bool:
        rows = self._rows[kind]
        return name in rows.newest or name in rows.absent or (kind in WILDCARD_TYPES and rows.is_complete)

    def knows_all(self, kind: ResourceType) -> bool:
        return self._rows[kind].is_complete

    # -- changes --

    def put(self, resource: Resource) -> Refusal | None:
        """Take the newest value, unless the Envoy is known to refuse it: then the refusal is returned."""
        rows = self._rows[resource.type]
        refusal = rows.refused.get(resource.name)
        if refusal is not None and refusal.version == resource.digest:
            return refusal
        rows.refused.pop(resource.name, None)
        rows.newest[resource.name] = resource
        rows.absent.discard(resource.name)
        return None

    def remove(self, kind: ResourceType, name: str) -> None:
        """It does not exist any more."""
        self.forget(kind, name)
        if kind not in WILDCARD_TYPES:
            self._rows[kind].absent.add(name)

    def forget(self, kind: ResourceType, name: str) -> None:
        """Nobody wants to know."""
        rows = self._rows[kind]
        for table in (rows.newest, rows.proven, rows.refused):
            table.pop(name, None)
        rows.absent.discard(name)

    def complete(self, kind: ResourceType) -> bool:
        """The control plane answered for `kind`; True when that is news."""
        rows = self._rows[kind]
        is_news, rows.is_complete = not rows.is_complete, True
        return is_news

    def prove(self, kind: ResourceType, name: str, version: str) -> None:
        rows = self._rows[kind]
        resource = rows.newest.get(name)
        if resource is not None and resource.digest == version:
            rows.proven[name] = resource

    def refuse(self, kind: ResourceType, name: str, refusal: Refusal) -> None:
        """Back to what the Envoy last took. When it took none, the refused value stays: another Envoy may take it."""
        rows = self._rows[kind]
        resource = rows.newest.get(name)
        if resource is None or resource.digest != refusal.version:
            return
        rows.refused[name] = refusal
        if resource == rows.proven.get(name):
            del rows.proven[name]
        rows.newest[name] = rows.proven.get(name, resource)

    # -- questions --

    def stored(self) -> tuple[Resource, ...]:
        """Per name what an Envoy last took, or the newest that none has seen; no local resources."""
        return tuple(
            rows.proven.get(name, resource)
            for kind, rows in self._rows.items()
            if kind not in LOCAL_TYPES
            for name, resource in rows.newest.items()
            if name in rows.proven or name not in rows.refused
        )

    def versions(self, unproven: frozenset[tuple[ResourceType, str]]) -> dict[ResourceType, dict[str, str]]:
        """What to tell the control plane is held. No version is claimed of what no Envoy has taken or (`unproven`) this
        one has still to judge, so that it is sent again and answered, or said to be gone."""
        known: dict[ResourceType, dict[str, str]] = {}
        for kind, rows in self._rows.items():
            if kind in LOCAL_TYPES:
                continue
            known[kind] = {}
            for name, resource in rows.newest.items():
                is_proven = rows.proven.get(name) == resource and (kind, name) not in unproven
                known[kind][name] = resource.digest if is_proven else ""
        return known
