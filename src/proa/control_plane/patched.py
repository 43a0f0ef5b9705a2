"""EnvoyFilters in force for one proxy: what it is served instead of what its scope has.

Patched when it is looked at, once for all proxies with equal patches: the memo's key is the resource's digest and that
of the patches. A proxy without patches has none of this.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from proa.control_plane.memo import Memo
from proa.core.model.digest import combine, digest_bytes, digest_of
from proa.core.model.names import expand_host
from proa.core.model.workload import Workload
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.patches import Patches
from proa.core.pilot.translate.patches.apply import Patched, added_resources, concerns, patch_resource
from proa.core.pilot.translate.patches.listeners import listener_port
from proa.core.pilot.translate.patches.patching import Target
from proa.core.pilot.translate.patches.routes import Part, routes_port

Name = tuple[ResourceType, str]
PATCHED_KINDS: Final = (ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.ROUTE)
"""What patches can change."""


class PatchedView:
    """`own` answers the workload's own resources, for what its listeners tell of its routes."""

    def __init__(
        self, patches: Patches, workload: Workload, own: Callable[[], Mapping[Name, Resource]], memo: Memo
    ) -> None:
        self.patches = patches
        self._workload = workload
        self._own = own
        self._memo = memo
        self._concerned = frozenset(kind for kind in PATCHED_KINDS if concerns(patches, kind))
        self._added = added_resources(patches)

    def is_as(self, other: "PatchedView | None") -> bool:
        """Whether both make the same of every resource."""
        return (
            other is not None
            and self.patches.digest == other.patches.digest
            and self._workload.inbound == other._workload.inbound
        )

    def lookup(self, kind: ResourceType, name: str, base: Resource | None) -> Resource | None:
        """What the proxy gets, where `base` is what it would get without patches."""
        if base is None:
            added = self._added.get((kind, name))
            return added[1] if added else None
        return self._patched(base).resource if kind in self._concerned else base

    @property
    def added(self) -> Iterable[Name]:
        """What there is only by patches, unless it is there without them too."""
        return self._added

    def touched(self, names: Iterable[Name]) -> set[Name]:
        """Those of the names, and of what is added, whose resources may be others with the patches than without."""
        return {name for name in names if name[0] in self._concerned} | set(self._added)

    def seen(self, base: Resource) -> frozenset[int]:
        """Places of the patches that find something in a resource."""
        return self._patched(base).seen if base.type in self._concerned else frozenset()

    def seen_by_adding(self, lookup: Callable[[ResourceType, str], Resource | None]) -> frozenset[int]:
        """Places of the patches whose resource is served: no other had its name. `lookup` is without patches."""
        return frozenset(
            place for (kind, name), (place, _) in self._added.items() if lookup(kind, name) is None
        )

    def _patched(self, base: Resource) -> Patched:
        target = self._target(base)
        made = combine((self.patches.digest, digest_of(target)))
        key = combine((made, base.type.name, base.name, base.digest, *map(str, base.objects)))

        def recall(piece: bytes, make: Callable[[], Part]) -> Part:
            return self._memo.recall(("patch_piece", combine((made, base.name, digest_bytes(piece)))), make)

        return self._memo.recall(
            ("patch_resource", key), lambda: patch_resource(base, target, self.patches, recall)
        )

    def _target(self, base: Resource) -> Target:
        is_gateway = self._workload.kind == "gateway"
        if is_gateway and base.type is ResourceType.ROUTE:
            return Target(is_gateway=True, gateways=self._gateways(base.name))
        if base.type is ResourceType.CLUSTER and base.name.startswith("inbound|"):
            port = int(base.name.split("|")[1])
            own = self._workload.id.namespace
            services = {
                expand_host(each.service, own) for each in self._workload.inbound if each.service_port == port
            }
            return Target(is_gateway=is_gateway, services=tuple(sorted(services)))
        return Target(is_gateway=is_gateway)

    def _gateways(self, routes: str) -> tuple[str, ...]:
        """The Gateways of a port, which its listener was made from; with TLS each server has routes of its own, named
        after it."""
        port, is_shared = routes_port(routes), not routes.startswith("https.")
        found = {
            f"{ref.namespace}/{ref.name}"
            for (kind, name), resource in self._own().items()
            if kind is ResourceType.LISTENER and listener_port(name) == port
            for ref in resource.objects
            if ref.kind == "Gateway" and (is_shared or f".{ref.name}.{ref.namespace}" in routes)
        }
        return tuple(sorted(found))
