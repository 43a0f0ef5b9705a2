"""Resources of gRPC's own xDS clients, one bundle per scope and set of labels that rules ask for, kept up to date by
what a change affects.

Beside `ScopeBundle`, which is for Envoys, and updated by the world alike; made only where a proxyless workload
is. Every host's resources bear names of their own, so a host is replaced without a look at the others.
"""

from collections.abc import Iterator

from proa.control_plane.memo import Memo
from proa.control_plane.near_sets import NearSets
from proa.core.model.notes import Note
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.clients import Client, served_to
from proa.core.pilot.scope.index import Affected, RuleIndex
from proa.core.pilot.scope.views import endpoints_of, host_view, visible_hosts
from proa.core.pilot.translate.endpoints import build_endpoints
from proa.core.pilot.translate.outbound import nearness_by_cluster
from proa.core.pilot.translate.proxyless import build_grpc_cluster, build_grpc_listener, grpc_host
from proa.core.pilot.translate.routes.virtual_host import build_route_configuration, build_virtual_host

Name = tuple[ResourceType, str]


class ProxylessBundle:
    """Owner: the world. `resources` is read by every proxyless stream of clients like this one, `near` before it."""

    def __init__(self, client: Client, memo: Memo) -> None:
        self.client = client
        self.scope = client.scope
        self.resources: dict[Name, Resource] = {}
        self.near = NearSets(memo)
        self._memo = memo
        self._hosts: dict[str, frozenset[Name]] = {}
        self._notes: dict[str, tuple[Note, ...]] = {}

    def notes(self) -> Iterator[Note]:
        """What such clients cannot do."""
        for notes in self._notes.values():
            yield from notes

    def fill(self, snapshot: MeshSnapshot, index: RuleIndex) -> None:
        for host in visible_hosts(snapshot, index, self.scope):
            self._update_host(snapshot, index, host)

    def update(self, snapshot: MeshSnapshot, index: RuleIndex, affected: Affected) -> set[Name]:
        """The names whose resources appeared, changed or went."""
        hosts = affected.hosts | affected.endpoints
        if self.scope.is_narrow:
            hosts |= affected.targets
        if affected.settings:
            hosts |= self._hosts.keys()
        return {name for host in hosts for name in self._update_host(snapshot, index, host)}

    def _update_host(self, snapshot: MeshSnapshot, index: RuleIndex, host: str) -> set[Name]:
        moved: set[Name] = set()
        built = {(each.type, each.name): each for each in self._build(snapshot, index, host, moved)}
        before = self._hosts.pop(host, frozenset())
        changed = set(before - built.keys())
        self.near.drop(changed)
        for name in changed:
            del self.resources[name]
        for name, resource in built.items():
            known = self.resources.get(name)
            if known is None or known.digest != resource.digest:
                self.resources[name] = resource
                changed.add(name)
        if built:
            self._hosts[host] = frozenset(built)
        return changed | moved

    def _build(self, snapshot: MeshSnapshot, index: RuleIndex, host: str, moved: set[Name]) -> list[Resource]:
        """Names whose sets may be others for some clients go into `moved`."""
        self._notes.pop(host, None)
        view = host_view(snapshot, index, self.scope, host)
        if view is None:
            return []
        get = self._memo.get
        view = served_to(view, self.client)
        made = grpc_host(view, endpoints_of(snapshot, host), snapshot.settings)
        if made.notes:
            self._notes[host] = made.notes
        moved |= self.near.put(nearness_by_cluster(view, snapshot.settings), made.endpoints)
        return [
            *(get(build_grpc_cluster, each) for each in made.clusters),
            *(get(build_endpoints, each) for each in made.endpoints),
            *(get(build_grpc_listener, each) for each in made.listeners),
            *(
                build_route_configuration(name, [get(build_virtual_host, intent)])
                for name, intent in made.routes
            ),
        ]
