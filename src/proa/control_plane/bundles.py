"""Resources of each scope and each workload, kept up to date by what a change affects.

A ScopeBundle is shared by all proxies of one scope, a WorkloadBundle belongs to one. `update` takes what a fold
affected and answers with the names of the resources whose bytes differ; it visits nothing else. Called by the
world alone; proxies read through `ProxySource`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from proa.control_plane.memo import Memo
from proa.control_plane.proxyless import ProxylessBundle
from proa.core.model.names import WorkloadId, cluster_name
from proa.core.model.notes import Note
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.clients import Client, gateway_served, served_to
from proa.core.pilot.scope.index import Affected, RuleIndex
from proa.core.pilot.scope.selectors import selectors_of
from proa.core.pilot.scope.views import (
    HostView,
    Scope,
    endpoints_of,
    gateway_view,
    host_view,
    visible_hosts,
)
from proa.core.pilot.translate.clusters import (
    ConnectClusterIntent,
    InboundClusterIntent,
    build_black_hole,
    build_cluster,
    build_connect_cluster,
    build_inbound_cluster,
    build_passthrough,
)
from proa.core.pilot.translate.endpoints import build_endpoints
from proa.core.pilot.translate.filters.egress_guard import EgressGuardIntent, build_egress_guard
from proa.core.pilot.translate.gateway import gateway_listeners, gateway_routes
from proa.core.pilot.translate.listeners.gateway import build_gateway_listener
from proa.core.pilot.translate.listeners.inbound import InboundListenerIntent, build_inbound_listener
from proa.core.pilot.translate.listeners.outbound import (
    EXPLICIT_ROUTES,
    ExplicitListenerIntent,
    InternalListenerIntent,
    UpstreamListenerIntent,
    build_explicit_listener,
    build_internal_listener,
    build_upstream_listener,
    internal_listener_name,
    port_routes_name,
)
from proa.core.pilot.translate.outbound import cluster_intents, endpoint_intents, host_routes, unknown_hosts
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


class _Owned(msgspec.Struct):
    """What one host put into a bundle: names to take back when the host changes, and its virtual hosts."""

    view: HostView | None = None
    resources: frozenset[Name] = frozenset()
    parts: dict[str, tuple[VirtualHostPart, ...]] = {}
    ports: frozenset[int] = frozenset()
    notes: tuple[Note, ...] = ()


class ScopeBundle:
    """Owner: the world. `resources` is read by every stream of the scope."""

    def __init__(self, scope: Scope, memo: Memo) -> None:
        self.scope = scope
        self.resources: dict[Name, Resource] = {}
        self._memo = memo
        self._hosts: dict[str, _Owned] = {}
        self._hosts_of_routes: dict[str, set[str]] = {}
        self._users_of_port: dict[int, set[str]] = {}
        # Hosts with rules that ask for labels of their clients, and the routes put together in the last update.
        self.choosy: dict[str, HostView] = {}
        self.rebuilt: frozenset[str] = frozenset()

    def fill(self, snapshot: MeshSnapshot, index: RuleIndex) -> None:
        """The whole bundle, for a scope that got its first proxy."""
        hosts = visible_hosts(snapshot, index, self.scope)
        self.update(snapshot, index, Affected(hosts=hosts, endpoints=hosts, settings=True, nodes=True))

    def update(self, snapshot: MeshSnapshot, index: RuleIndex, affected: Affected) -> set[Name]:
        """Bring the bundle up to `snapshot`; the names whose resources appeared, changed or went."""
        changed: Changed = {}
        routes: set[str] = set()
        if affected.settings:
            affected = msgspec.structs.replace(
                affected,
                hosts=affected.hosts | frozenset(self._hosts) - {EVERYWHERE},
                endpoints=affected.endpoints | frozenset(self._hosts) - {EVERYWHERE},
            )
        for host in affected.hosts:
            if host != EVERYWHERE:
                self._update_host(snapshot, index, host, affected.settings, changed, routes)
        for host in affected.endpoints:
            self._update_endpoints(snapshot, host, changed)
        if affected.settings or affected.nodes:
            self._update_everywhere(snapshot, index, changed, routes)
        for name in routes:
            self._update_routes(name, changed)
        self.rebuilt = frozenset(routes)
        return {name for name, before in changed.items() if before != _digest(self.resources.get(name))}

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

    def _drop(self, names: Iterable[Name], changed: Changed) -> None:
        for name in names:
            known = self.resources.pop(name, None)
            if known is not None:
                changed.setdefault(name, known.digest)

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
        is_dns = view is not None and view.service is not None and view.service.resolution == "DNS"
        same = view.digest == owned.view.digest if view and owned.view else view is owned.view
        if same and not settings_changed and not is_dns:
            return
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

    def _build_host(self, snapshot: MeshSnapshot, view: HostView | None, changed: Changed) -> _Owned:
        if view is None:
            return _Owned()
        endpoints = endpoints_of(snapshot, view.host)
        built = [
            self._memo.get(build_cluster, intent)
            for intent in cluster_intents(view, endpoints, snapshot.settings)
        ]
        built += [self._memo.get(build_endpoints, intent) for intent in endpoint_intents(view, endpoints)]
        names = frozenset(self._put(resource, changed) for resource in built)
        parts, notes = self.parts_of(served_to(view, Client(self.scope.namespace)))
        ports = view.service.ports if view.service and view.service.resolution != "NONE" else ()
        return _Owned(
            view=view,
            resources=names,
            parts=parts,
            ports=frozenset(port.number for port in ports),
            notes=notes,
        )

    def parts_of(self, view: HostView) -> tuple[dict[str, tuple[VirtualHostPart, ...]], tuple[Note, ...]]:
        """A host's virtual hosts by the route configuration they belong to, for the clients whose view this is."""
        hosts = host_routes(view)
        parts: dict[str, tuple[VirtualHostPart, ...]] = {
            port_routes_name(port): (self._memo.get(build_virtual_host, intent),)
            for port, intent in hosts.by_port.items()
        }
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
        for intent in endpoint_intents(owned.view, endpoints_of(snapshot, host)):
            self._put(self._memo.get(build_endpoints, intent), changed)

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
            listener = InternalListenerIntent(port=port, access_log=snapshot.settings.access_log)
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
        built = [build_black_hole(), build_passthrough(), self._memo.get(build_egress_guard, guard)]
        names = frozenset(self._put(resource, changed) for resource in built)
        part = self._memo.get(build_virtual_host, unknown_hosts(settings.outbound_policy))
        owned = self._hosts.get(EVERYWHERE)
        following = _Owned(resources=names, parts={EVERYWHERE: (part,)})
        if owned is None or owned.parts != following.parts:
            routes.update((EXPLICIT_ROUTES, *(port_routes_name(port) for port in self._users_of_port)))
        self._hosts[EVERYWHERE] = following

    def _update_routes(self, name: str, changed: Changed) -> None:
        """Put a route configuration together again from its hosts' pieces."""
        if name != EXPLICIT_ROUTES and int(name) not in self._users_of_port:
            self._drop([(ResourceType.ROUTE, name)], changed)
            return
        self._put(build_route_configuration(name, self.joined(name, {})), changed)

    def joined(self, name: str, instead: Mapping[str, tuple[VirtualHostPart, ...]]) -> list[VirtualHostPart]:
        """The pieces of a route configuration, some hosts' own replaced."""
        parts = list(self._hosts[EVERYWHERE].parts[EVERYWHERE]) if EVERYWHERE in self._hosts else []
        for host in self._hosts_of_routes.get(name, ()):
            parts += instead.get(host) or self._hosts[host].parts.get(name, ())
        return parts


class WorkloadBundle:
    """Owner: the world. What only one workload's proxy has: its inbound side, its own ports, a gateway's edge."""

    def __init__(self, workload: WorkloadId, memo: Memo) -> None:
        self.id = workload
        self.workload: Workload | None = None
        self.resources: dict[Name, Resource] = {}
        self.notes: tuple[Note, ...] = ()
        # What its clients' rules make different from the scope: shared by all who wear the same labels.
        self.client = Client(workload.namespace)
        self.routes: Mapping[Name, Resource] = {}
        self._memo = memo

    def update(self, snapshot: MeshSnapshot, index: RuleIndex) -> set[Name]:
        """Everything anew (a handful of resources, most of them found in the memo); the names that differ."""
        self.workload = snapshot.workloads.get(self.id)
        built: list[Resource] = []
        if self.workload is not None:
            access_log = snapshot.settings.access_log
            if self.workload.kind == "proxyless":
                built = []  # a client only: what it is served is its scope's
            elif self.workload.kind == "gateway":
                built = self._gateway(snapshot, index, self.workload, access_log)
            else:
                built = list(self._sidecar(self.workload, access_log))
        following = {(resource.type, resource.name): resource for resource in built}
        changed = {
            name
            for name in {*self.resources, *following}
            if _digest(self.resources.get(name)) != _digest(following.get(name))
        }
        self.resources = following
        return changed

    @property
    def has_explicit(self) -> bool:
        return self.workload is not None and bool(self.workload.outbound_port)

    @property
    def is_edge(self) -> bool:
        return self.workload is not None and self.workload.kind == "gateway"

    @property
    def is_proxyless(self) -> bool:
        return self.workload is not None and self.workload.kind == "proxyless"

    def concerns(self, affected: Affected) -> bool:
        """Whether an update could differ from what there is."""
        return (
            affected.settings
            or self.id in affected.workloads
            or (self.is_edge and bool(affected.edge or affected.hosts))
        )

    def _sidecar(self, workload: Workload, access_log: bool) -> Iterator[Resource]:
        get = self._memo.get
        for port in workload.inbound:
            yield get(
                build_inbound_cluster,
                InboundClusterIntent(
                    service_port=port.service_port, app_port=port.app_port, protocol=port.protocol
                ),
            )
            yield get(
                build_inbound_listener,
                InboundListenerIntent(
                    bind=workload.bind,
                    sidecar_port=port.sidecar_port,
                    service_port=port.service_port,
                    protocol=port.protocol,
                    mode=port.mode,
                    access_log=access_log,
                ),
            )
        for upstream in workload.upstreams:
            yield get(
                build_upstream_listener,
                UpstreamListenerIntent(
                    local_port=upstream.local_port,
                    cluster=cluster_name("outbound", upstream.port, "", upstream.host),
                    access_log=access_log,
                ),
            )
        if workload.outbound_port:
            yield get(
                build_explicit_listener,
                ExplicitListenerIntent(port=workload.outbound_port, access_log=access_log),
            )

    def _gateway(
        self, snapshot: MeshSnapshot, index: RuleIndex, workload: Workload, access_log: bool
    ) -> list[Resource]:
        view = gateway_served(gateway_view(snapshot, index, workload))
        built = [
            self._memo.get(build_gateway_listener, intent) for intent in gateway_listeners(view, access_log)
        ]
        notes: list[Note] = []
        for routes in gateway_routes(view):
            parts = [self._memo.get(build_virtual_host, intent) for intent in routes.hosts]
            built.append(build_route_configuration(routes.name, parts))
            notes += routes.notes
        self.notes = tuple(notes)
        return built


def _digest(resource: Resource | None) -> str:
    return resource.digest if resource is not None else ""


def is_behind_explicit(kind: ResourceType, name: str) -> bool:
    """Whether only the explicit listener leads to a shared resource."""
    return kind is ResourceType.LISTENER or name.startswith("connect_")


class ProxySource:
    """One proxy's resources: its own, then those of clients like it, then its scope's. Read by its stream's protocol
    machine.

    `proxyless` gives what the scope has for gRPC's own clients. That the workload is one is asked at each look: a
    registration may come after the stream."""

    def __init__(
        self,
        own: WorkloadBundle,
        shared: ScopeBundle,
        proxyless: Callable[[], ProxylessBundle],
        *,
        complete: bool,
    ) -> None:
        self.own = own
        self.shared = shared
        self._proxyless = proxyless
        self._complete = complete

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        found = self.own.resources.get((kind, name))
        if found is None and self._shares(kind, name):
            found = self.own.routes.get((kind, name)) or self._of_scope.get((kind, name))
        return found

    @property
    def _of_scope(self) -> Mapping[Name, Resource]:
        return self._proxyless().resources if self.own.is_proxyless else self.shared.resources

    def names(self, kind: ResourceType) -> Iterable[str]:
        for each, name in self.own.resources:
            if each is kind:
                yield name
        for each, name in self._of_scope:
            if each is kind and self._shares(kind, name):
                yield name

    def knows(self, kind: ResourceType, name: str) -> bool:
        return self._complete

    def knows_all(self, kind: ResourceType) -> bool:
        return self._complete

    def _shares(self, kind: ResourceType, name: str) -> bool:
        """A proxy without the explicit listener (a gateway, a server only) has no use for what hangs behind it."""
        return self.own.has_explicit or self.own.is_proxyless or not is_behind_explicit(kind, name)
