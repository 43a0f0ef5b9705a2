"""What a protocol machine may ask of the owner of the resources: the newest value, by name.

The control plane implements it per proxy view, the agent's relay over its table. The owner changes its content
first and then calls `DeltaServer.offer` with what changed; it never changes between the two.
"""

from collections.abc import Iterable
from typing import Protocol

from proa.core.pilot.resource import Resource, ResourceType


class ResourceSource(Protocol):
    """Every call is answered from memory at once, in O(1) except `names`."""

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        """The newest value, or None when there is none (or none yet, see `knows`)."""

    def names(self, kind: ResourceType) -> Iterable[str]:
        """What a wildcard subscription to `kind` covers; asked for CLUSTER and LISTENER only."""

    def knows(self, kind: ResourceType, name: str) -> bool:
        """Whether `lookup` is final: False means "ask again when I offer", True with None means "does not exist"."""

    def knows_all(self, kind: ResourceType) -> bool:
        """Whether `names` is complete: only then may an empty wildcard be answered or a held stranger removed."""
