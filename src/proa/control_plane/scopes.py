"""The bundles of the scopes in use, and who uses them: made for the first workload, forgotten with the last."""

from collections.abc import Iterator, Mapping

from proa.control_plane.memo import Memo
from proa.control_plane.scope_bundle import Name, ScopeBundle
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.resource import Resource
from proa.core.pilot.scope.index import Affected, RuleIndex
from proa.core.pilot.scope.scope import Scope


class Scopes:
    """Owner: the world."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._bundles: dict[Scope, ScopeBundle] = {}
        self._users: dict[Scope, set[WorkloadId]] = {}

    def __iter__(self) -> Iterator[ScopeBundle]:
        return iter(self._bundles.values())

    def enter(
        self, workload: WorkloadId, scope: Scope, snapshot: MeshSnapshot, index: RuleIndex
    ) -> ScopeBundle:
        bundle = self._bundles.get(scope)
        if bundle is None:
            bundle = self._bundles[scope] = ScopeBundle(scope, self._memo)
            bundle.fill(snapshot, index)
        self._users.setdefault(scope, set()).add(workload)
        return bundle

    def leave(self, workload: WorkloadId, scope: Scope) -> bool:
        """Whether that was the last, and the scope is forgotten."""
        users = self._users[scope]
        users.discard(workload)
        if users:
            return False
        del self._users[scope], self._bundles[scope]
        return True

    def update(self, snapshot: MeshSnapshot, index: RuleIndex, affected: Affected) -> dict[Scope, set[Name]]:
        """The names that differ, by scope."""
        return {scope: bundle.update(snapshot, index, affected) for scope, bundle in self._bundles.items()}


class Moves:
    """Workloads that got another scope in a round, and what they held of the old one. Made before the round's updates,
    asked after them."""

    def __init__(self) -> None:
        self._held: dict[Scope, Mapping[Name, Resource]] = {}
        self._near: dict[Scope, set[Name]] = {}
        self._from: dict[WorkloadId, Scope] = {}
        self._differing: dict[tuple[Scope, Scope], set[Name]] = {}

    def __iter__(self) -> Iterator[WorkloadId]:
        return iter(self._from)

    def add(self, workload: WorkloadId, before: ScopeBundle) -> None:
        if before.scope not in self._held:
            self._held[before.scope] = dict(before.resources)
            self._near[before.scope] = before.near.names()
        self._from[workload] = before.scope

    def names(self, workload: WorkloadId, after: ScopeBundle) -> set[Name]:
        """What differs between the workload's old scope and this one. All that move alike share the answer."""
        pair = self._from[workload], after.scope
        if pair not in self._differing:
            held = self._held[pair[0]]
            self._differing[pair] = {
                name
                for name in {*held, *after.resources}
                if _digest(held.get(name)) != _digest(after.resources.get(name))
            }
            self._differing[pair] |= self._near[pair[0]] | after.near.names()
        return self._differing[pair]


def _digest(resource: Resource | None) -> str:
    return resource.digest if resource is not None else ""
