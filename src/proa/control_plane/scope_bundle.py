"""Resources that all proxies of one scope share, kept up to date by what a change affects.

`update` takes what a fold affected and answers with the names of the resources whose bytes differ; it visits nothing
else. Called by the world alone; proxies read through `ProxySource`.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec

from proa.control_plane.memo import Memo
from proa.control_plane.near_sets import NearSets
from proa.core.model.names import parse_cluster_name
from proa.core.model.notes import Note
from proa.core.model.settings import ZipkinTracer
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.registry.mesh_config import MESH_CONFIG
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.clients import Client, served_to
from proa.core.pilot.scope.index import Affected, RuleIndex
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.selectors import selectors_of
from proa.core.pilot.scope.telemetry import observed, reported
from proa.core.pilot.scope.views import HostView, endpoints_of, host_view, visible_hosts
from proa.core.pilot.translate.clusters import (
    ConnectClusterIntent,
    build_black_hole,
    build_cluster,
    build_connect_cluster,
    build_nowhere,
    build_passthrough,
)
from proa.core.pilot.translate.endpoints import build_endpoints
from proa.core.pilot.translate.filters.egress_guard import EgressGuardIntent, build_egress_guard
from proa.core.pilot.translate.listeners.outbound import (
    EXPLICIT_ROUTES,
    InternalListenerIntent,
    build_internal_listener,
    internal_listener_name,
    port_routes_name,
)
from proa.core.pilot.translate.nearness import Nearness
from proa.core.pilot.translate.outbound import (
    cluster_intents,
    egress_hosts,
    egress_target,
    endpoint_intents,
    host_routes,
    nearness_by_cluster,
    tunnelled_ports,
    unknown_hosts,
)
from proa.core.pilot.translate.outer_tunnels import (
    build_tunnel_cluster,
    build_tunnel_listener,
    outer_tunnels,
)
from proa.core.pilot.translate.routes.virtual_host import (
    VirtualHostPart,
    build_route_configuration,
    build_virtual_host,
)

Name = tuple[ResourceType, str]
Changed = dict[Name, str]
"""Names touched by an update, with the digest each had before it: what goes and comes back has not changed."""
EVERYWHERE: Final = "*"
"""The pseudo host under which a scope keeps what belongs to no host: catch-alls, black hole, egress guard."""
COLLECTORS: Final = "*collectors"
"""That of clusters which stand for those of collectors that are no services."""
_PSEUDO: Final = frozenset((EVERYWHERE, COLLECTORS))


class _Owned(msgspec.Struct):
    """What one host put into a bundle: names to take back when the host changes, and its virtual hosts."""

    view: HostView | None = None
    resources: frozenset[Name] = frozenset()
    parts: dict[str, tuple[VirtualHostPart, ...]] = {}
    ports: frozenset[int] = frozenset()
    notes: tuple[Note, ...] = ()
    nearness: Mapping[str, Nearness] = {}


class ScopeBundle:
    """Owner: the world. `resources` is read by every stream of the scope, `near` before it: by where a client is."""

    def __init__(self, scope: Scope, memo: Memo) -> None:
        self.scope = scope
        self.resources: dict[Name, Resource] = {}
        self.near = NearSets(memo)
        self._moved: set[Name] = set()
        self._memo = memo
        self._hosts: dict[str, _Owned] = {}
        self._hosts_of_routes: dict[str, set[str]] = {}
        self._users_of_port: dict[int, set[str]] = {}
        # Hosts with rules that ask for labels of their clients, and the routes put together in the last update.
        self.choosy: dict[str, HostView] = {}
        self.rebuilt: frozenset[str] = frozenset()
        # By listener of the proxy's own the hosts that it leads to, and those for which that differs since the update.
        self._hosts_of_own: dict[str, set[str]] = {each.name: set() for each in scope.own}
        self._own_routes = frozenset(each.name for each in scope.own if each.is_http)
        self.moved_own: frozenset[str] = frozenset()

    def fill(self, snapshot: MeshSnapshot, index: RuleIndex) -> None:
        """The whole bundle, for a scope that got its first proxy."""
        hosts = visible_hosts(snapshot, index, self.scope)
        self.update(snapshot, index, Affected(hosts=hosts, endpoints=hosts, settings=True, nodes=True))

    def update(self, snapshot: MeshSnapshot, index: RuleIndex, affected: Affected) -> set[Name]:
        """Bring the bundle up to `snapshot`; the names whose resources appeared, changed or went."""
        changed: Changed = {}
        self._moved = set()
        routes: set[str] = set()
        self.moved_own = frozenset()
        if affected.settings:
            asked = snapshot.settings.provider_hosts
            known = (frozenset(self._hosts) | asked) - _PSEUDO
            affected = msgspec.structs.replace(
                affected, hosts=affected.hosts | known, endpoints=affected.endpoints | known
            )
        targets = affected.targets if self.scope.is_narrow else frozenset[str]()
        for host in affected.hosts | targets:
            if host not in _PSEUDO:
                self._update_host(snapshot, index, host, affected.settings, changed, routes)
        for host in affected.endpoints:
            self._update_endpoints(snapshot, host, changed)
        self._update_collectors(snapshot, affected, changed)
        egress = self.scope.egress.host if self.scope.egress is not None else ""
        if affected.settings or affected.nodes or egress in affected.hosts | targets:
            self._update_everywhere(snapshot, index, changed, routes)
        for name in routes:
            self._update_routes(name, changed)
        self.rebuilt = frozenset(routes)
        differing = {name for name, before in changed.items() if before != _digest(self.resources.get(name))}
        return differing | self._moved

    def notes(self) -> Iterator[Note]:
        for owned in self._hosts.values():
            yield from owned.notes

    def _put(self, resource: Resource, changed: Changed) -> Name:
        name = (resource.type, resource.name)
        known = self.resources.get(name)
        if known is None or known.digest != resource.digest:
            changed.setdefault(name, _digest(known))
            self.resources[name] = resource
        return name

    def _drop(self, names: Collection[Name], changed: Changed) -> None:
        for name in names:
            known = self.resources.pop(name, None)
            if known is not None:
                changed.setdefault(name, known.digest)
        self._moved |= self.near.drop(names)

    def _update_host(
        self,
        snapshot: MeshSnapshot,
        index: RuleIndex,
        host: str,
        settings_changed: bool,
        changed: Changed,
        routes: set[str],
    ) -> None:
        view = host_view(snapshot, index, self.scope, host)
        owned = self._hosts.get(host, _Owned())
        is_dns = view is not None and view.service is not None and view.service.is_looked_up
        same = view.digest == owned.view.digest if view and owned.view else view is owned.view
        if same and not settings_changed and not is_dns:
            return
        self._move_own(host, owned.view, view)
        following = self._build_host(snapshot, view, changed)
        self._drop(owned.resources - following.resources, changed)
        for name in {*owned.parts, *following.parts}:
            if owned.parts.get(name) != following.parts.get(name):
                routes.add(name)
                members = self._hosts_of_routes.setdefault(name, set())
                members.add(host) if name in following.parts else members.discard(host)
        self._update_ports(snapshot, host, owned.ports, following.ports, changed, routes)
        self.choosy.pop(host, None)
        if view is None:
            self._hosts.pop(host, None)
        else:
            self._hosts[host] = following
            if view.rules is not None and selectors_of(view.rules.spec):
                self.choosy[host] = view

    def _move_own(self, host: str, before: HostView | None, after: HostView | None) -> None:
        left = {each.name for each in before.own} if before else set[str]()
        entered = {each.name for each in after.own} if after else set[str]()
        for name in left - entered:
            self._hosts_of_own[name].discard(host)
        for name in entered:
            self._hosts_of_own[name].add(host)
        self.moved_own |= left | entered

    def own_views(self, name: str) -> list[HostView]:
        """The hosts that a listener of the proxy's own leads to."""
        views = (self._hosts[host].view for host in self._hosts_of_own[name])
        return [view for view in views if view is not None]

    def _build_host(self, snapshot: MeshSnapshot, view: HostView | None, changed: Changed) -> _Owned:
        if view is None:
            return _Owned()
        endpoints = endpoints_of(snapshot, view.host)
        nearness = nearness_by_cluster(view, snapshot.settings)
        clusters = cluster_intents(view, endpoints, snapshot.settings)
        members = endpoint_intents(view, endpoints)
        self._moved |= self.near.put(nearness, (*clusters, *members))
        built = [self._memo.get(build_cluster, intent) for intent in clusters]
        built += [self._memo.get(build_endpoints, intent) for intent in members]
        for tunnel in outer_tunnels(view):
            built.append(self._memo.get(build_tunnel_cluster, tunnel))
            built.append(self._memo.get(build_tunnel_listener, tunnel))
        names = frozenset(self._put(resource, changed) for resource in built)
        parts, notes = self.parts_of(served_to(view, Client(self.scope)))
        ports = {port.number for port in tunnelled_ports(view)}
        egress = self.scope.egress
        if egress is not None and egress.host == view.host and egress_target(view, egress) is not None:
            ports.add(egress.port)
        return _Owned(
            view=view,
            resources=names,
            parts=parts,
            ports=frozenset(ports),
            notes=notes,
            nearness=nearness,
        )

    def parts_of(self, view: HostView) -> tuple[dict[str, tuple[VirtualHostPart, ...]], tuple[Note, ...]]:
        """A host's virtual hosts by the route configuration they belong to, for the clients whose view this is."""
        hosts = host_routes(view)
        parts: dict[str, tuple[VirtualHostPart, ...]] = {
            port_routes_name(port): (self._memo.get(build_virtual_host, intent),)
            for port, intent in hosts.by_port.items()
        }
        for name, intent in hosts.own.items():
            parts[name] = (self._memo.get(build_virtual_host, intent),)
        parts[EXPLICIT_ROUTES] = tuple(
            self._memo.get(build_virtual_host, intent) for intent in hosts.explicit
        )
        return parts, hosts.notes

    def pieces(self, host: str, name: str) -> tuple[VirtualHostPart, ...] | None:
        """What a host has in a route configuration."""
        owned = self._hosts.get(host)
        return owned.parts.get(name) if owned else None

    def _update_endpoints(self, snapshot: MeshSnapshot, host: str, changed: Changed) -> None:
        owned = self._hosts.get(host)
        if owned is None or owned.view is None:
            return
        members = endpoint_intents(owned.view, endpoints_of(snapshot, host))
        self._moved |= self.near.put(owned.nearness, members)
        for intent in members:
            self._put(self._memo.get(build_endpoints, intent), changed)

    def _update_collectors(self, snapshot: MeshSnapshot, affected: Affected, changed: Changed) -> None:
        """A cluster for each collector, or its listener is refused: the service's, or in its place one that leads
        nowhere. So a service that comes or goes changes no listener."""
        collectors = snapshot.settings.zipkins
        if not affected.settings and not any(each.host in affected.hosts for each in collectors):
            return
        missing = [
            each
            for each in collectors
            if (ResourceType.CLUSTER, each.cluster) not in self._names_of(each.host)
        ]
        standing = frozenset(
            self._put(self._memo.get(build_nowhere, each.cluster), changed) for each in missing
        )
        before = self._hosts.get(COLLECTORS, _Owned()).resources - standing
        self._drop([name for name in before if name not in self._names_of(_host_of(name))], changed)
        notes = tuple(dict.fromkeys(_nobody_collects(each) for each in missing))
        self._hosts[COLLECTORS] = _Owned(resources=standing, notes=notes)

    def _names_of(self, host: str) -> frozenset[Name]:
        owned = self._hosts.get(host)
        return owned.resources if owned else frozenset()

    def _update_ports(
        self,
        snapshot: MeshSnapshot,
        host: str,
        before: frozenset[int],
        after: frozenset[int],
        changed: Changed,
        routes: set[str],
    ) -> None:
        """An internal listener per port that any host has, with the way in from CONNECT."""
        for port in before - after:
            users = self._users_of_port[port]
            users.discard(host)
            if not users:
                del self._users_of_port[port]
                connect = (ResourceType.CLUSTER, f"connect_{port}")
                self._drop([connect, (ResourceType.LISTENER, internal_listener_name(port))], changed)
                routes.add(port_routes_name(port))
        for port in after:
            self._users_of_port.setdefault(port, set()).add(host)
            handling = observed(snapshot.settings.handling, self.scope.observing)
            listener = InternalListenerIntent(
                port=port, handling=reported(handling, client=self.scope.reporting)
            )
            way = ConnectClusterIntent(port=port, listener=internal_listener_name(port))
            self._put(self._memo.get(build_connect_cluster, way), changed)
            self._put(self._memo.get(build_internal_listener, listener), changed)
            if (ResourceType.ROUTE, port_routes_name(port)) not in self.resources:
                routes.add(port_routes_name(port))

    def _update_everywhere(
        self, snapshot: MeshSnapshot, index: RuleIndex, changed: Changed, routes: set[str]
    ) -> None:
        settings = snapshot.settings
        guard = EgressGuardIntent(nodes=tuple(sorted(index.nodes)), ports=settings.sidecar_ports)
        built = [
            build_black_hole(),
            build_passthrough(settings.handling.resolving),
            self._memo.get(build_egress_guard, guard),
        ]
        names = frozenset(self._put(resource, changed) for resource in built)
        egress = self.scope.egress
        notes: tuple[Note, ...] = ()
        if egress is None:
            intent = unknown_hosts(self.scope.outbound or settings.outbound_policy)
        else:
            owned = self._hosts.get(egress.host)
            intent, notes = egress_hosts(owned.view if owned else None, egress)
        part = self._memo.get(build_virtual_host, intent)
        owned = self._hosts.get(EVERYWHERE)
        following = _Owned(resources=names, parts={EVERYWHERE: (part,)}, notes=notes)
        if owned is None or owned.parts != following.parts:
            ports = (port_routes_name(port) for port in self._users_of_port)
            routes.update((EXPLICIT_ROUTES, *self._own_routes, *ports))
        self._hosts[EVERYWHERE] = following

    def _update_routes(self, name: str, changed: Changed) -> None:
        """Put a route configuration together again from its hosts' pieces."""
        is_of_port = name != EXPLICIT_ROUTES and name not in self._own_routes
        if is_of_port and int(name) not in self._users_of_port:
            self._drop([(ResourceType.ROUTE, name)], changed)
            return
        self._put(build_route_configuration(name, self.joined(name, {})), changed)

    def joined(self, name: str, instead: Mapping[str, tuple[VirtualHostPart, ...]]) -> list[VirtualHostPart]:
        """The pieces of a route configuration, some hosts' own replaced."""
        parts = list(self._hosts[EVERYWHERE].parts[EVERYWHERE]) if EVERYWHERE in self._hosts else []
        for host in self._hosts_of_routes.get(name, ()):
            parts += instead.get(host) or self._hosts[host].parts.get(name, ())
        return parts


def _host_of(name: Name) -> str:
    return parse_cluster_name(name[1])[3]


def _nobody_collects(tracer: ZipkinTracer) -> Note:
    message = (
        f"no service {tracer.host} has port {tracer.port}: spans that go there are lost until there is one"
    )
    return Note(code="collector-missing", about=MESH_CONFIG, message=message)


def _digest(resource: Resource | None) -> str:
    return resource.digest if resource is not None else ""
