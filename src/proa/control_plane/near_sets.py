"""Endpoint sets that depend on where a client stands: one per class of clients, made when the first of it asks.

All proxies of a scope have the same names, and most of the sets behind them. Of a cluster with shares or tiers by place
each proxy gets the set for clients like itself: what the rules make of its standpoint is the key. A change of an
endpoint replaces the sets of its own cluster alone. Owned by the bundles, read by every stream.
"""

from collections.abc import Iterable, Mapping

import msgspec

from proa.control_plane.memo import Memo
from proa.core.model.locality import Standpoint
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.clusters import ClusterIntent, build_cluster
from proa.core.pilot.translate.endpoints import EndpointsIntent, build_endpoints
from proa.core.pilot.translate.nearness import Nearness, Preference, preference_of

Name = tuple[ResourceType, str]


class NearSet:
    """Of one cluster: its endpoint set, or the cluster itself where the set is part of it."""

    def __init__(self, nearness: Nearness, plain: EndpointsIntent | ClusterIntent, memo: Memo) -> None:
        self._nearness = nearness
        self._plain = plain
        self._memo = memo
        self._made: dict[Preference, Resource] = {}

    def is_of(self, nearness: Nearness, plain: EndpointsIntent | ClusterIntent) -> bool:
        return self._nearness == nearness and self._plain == plain

    def seen_from(self, client: Standpoint) -> Resource | None:
        """None: such a client has what all have."""
        preference = preference_of(self._nearness, client)
        if preference is None:
            return None
        known = self._made.get(preference)
        if known is None:
            known = self._made[preference] = self._make(preference)
        return known

    def _make(self, preference: Preference) -> Resource:
        intent = msgspec.structs.replace(self._plain, preference=preference)
        if isinstance(intent, ClusterIntent):
            return self._memo.get(build_cluster, intent)
        return self._memo.get(build_endpoints, intent)


class NearSets:
    """Those of one bundle, by the name of the resource whose place they take."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._sets: dict[Name, NearSet] = {}

    def names(self) -> set[Name]:
        return set(self._sets)

    def lookup(self, name: Name, client: Standpoint) -> Resource | None:
        """None: such a client has what all have."""
        found = self._sets.get(name)
        return found.seen_from(client) if found is not None else None

    def put(
        self, nearness: Mapping[str, Nearness], intents: Iterable[EndpointsIntent | ClusterIntent]
    ) -> set[Name]:
        """Bring the sets of these intents up to date; the names that may differ for some client."""
        changed: set[Name] = set()
        for intent in intents:
            name = _name_of(intent)
            known, said = self._sets.get(name), nearness.get(name[1])
            if said is None or (isinstance(intent, ClusterIntent) and intent.resolution == "EDS"):
                changed |= self.drop([name])
            elif known is None or not known.is_of(said, intent):
                self._sets[name] = NearSet(said, intent, self._memo)
                changed.add(name)
        return changed

    def drop(self, names: Iterable[Name]) -> set[Name]:
        """The names that were there."""
        return {name for name in names if self._sets.pop(name, None) is not None}


def _name_of(intent: EndpointsIntent | ClusterIntent) -> Name:
    if isinstance(intent, ClusterIntent):
        return ResourceType.CLUSTER, intent.name
    return ResourceType.ENDPOINT, intent.cluster
