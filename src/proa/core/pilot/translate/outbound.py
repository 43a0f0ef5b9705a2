"""From one host's view to the intents of everything its clients need: clusters, endpoint sets, virtual hosts.

Each function reads one HostView (and, for endpoint sets, the endpoints) and nothing of other hosts.
"""

import msgspec

from proa.core.config.kinds.destination_rule.schema import TrafficPolicy
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, cluster_name, mesh_sni, virtual_host_name
from proa.core.model.notes import Note
from proa.core.model.service import Service, ServicePort
from proa.core.model.settings import MeshSettings, OutboundPolicy, Resolving
from proa.core.model.snapshot import WORKLOAD_SOURCE
from proa.core.pilot.scope.index import MESH_GATEWAY
from proa.core.pilot.scope.scope import EgressProxy
from proa.core.pilot.scope.views import Destination, HostView
from proa.core.pilot.translate.cluster_policy import ConnectionPool
from proa.core.pilot.translate.clusters import (
    PASSTHROUGH,
    ClientTls,
    ClusterIntent,
    Discovery,
    connect_cluster_name,
)
from proa.core.pilot.translate.endpoints import EndpointsIntent
from proa.core.pilot.translate.nearness import Nearness, nearness_of
from proa.core.pilot.translate.operator_tls import originated_tls
from proa.core.pilot.translate.outbound_streams import outbound_streams
from proa.core.pilot.translate.routes.intents import (
    Connect,
    ConnectStream,
    DirectResponse,
    RouteIntent,
    Stream,
    Target,
    VirtualHostIntent,
)
from proa.core.pilot.translate.rules import rules_at, translate_rules
from proa.core.pilot.translate.traffic_policy import (
    balancing_of,
    outlier_of,
    policy_for,
    pool_of,
    rule_of,
    target_at,
)

MESH: frozenset[str] = frozenset((MESH_GATEWAY,))
REGISTRY_ONLY_STATUS = 502
"""What an unknown host gets under REGISTRY_ONLY, as in Istio."""
UNSERVED_PORT_STATUS = 502
"""What a known host gets on a port it does not serve: to a client's sidecar that is no host either."""


def cluster_intents(
    view: HostView, endpoints: tuple[Endpoint, ...], settings: MeshSettings
) -> tuple[ClusterIntent, ...]:
    """One per port and subset. Hosts without resolution have none: the forward proxy finds them."""
    service = view.service
    if service is None or service.resolution == "NONE":
        return ()
    subsets = _subset_names(view) if service.has_endpoints else ()
    return tuple(
        _cluster(view, service, port, subset, endpoints, settings)
        for port in service.ports
        for subset in ("", *subsets)
    )


def endpoint_intents(view: HostView, endpoints: tuple[Endpoint, ...]) -> tuple[EndpointsIntent, ...]:
    """Without endpoints that have a name for an address: of EDS no Envoy takes one. They come of a second object for
    the host that wants them looked up, or of a WorkloadEntry."""
    service = view.service
    if service is None or service.resolution != "STATIC":
        return ()
    endpoints = tuple(each for each in endpoints if not each.is_named)
    return tuple(
        EndpointsIntent(
            cluster=cluster_name("outbound", port.number, subset, view.host),
            endpoints=_members(view, port, subset, endpoints),
        )
        for port in service.ports
        for subset in ("", *_subset_names(view))
    )


def nearness_by_cluster(view: HostView, settings: MeshSettings) -> dict[str, Nearness]:
    """The clusters whose endpoint sets (inline ones too) depend on where a client is."""
    service = view.service
    if service is None or service.resolution == "NONE":
        return {}
    found = {
        cluster_name("outbound", port.number, subset, view.host): nearness_of(
            policy_for(view.policy, subset, port.number), service, settings
        )
        for port in service.ports
        for subset in ("", *_subset_names(view))
    }
    return {name: nearness for name, nearness in found.items() if nearness is not None}


def _subset_names(view: HostView) -> tuple[str, ...]:
    return tuple(subset.name for subset in view.policy.subsets) if view.policy else ()


def _members(
    view: HostView, port: ServicePort, subset: str, endpoints: tuple[Endpoint, ...]
) -> tuple[Endpoint, ...]:
    members = tuple(endpoint for endpoint in endpoints if endpoint.service_port == port.number)
    if not subset or view.policy is None:
        return members
    labels = next(each.labels for each in view.policy.subsets if each.name == subset)
    return tuple(endpoint for endpoint in members if endpoint.has_labels(labels))


def _cluster(
    view: HostView,
    service: Service,
    port: ServicePort,
    subset: str,
    endpoints: tuple[Endpoint, ...],
    settings: MeshSettings,
) -> ClusterIntent:
    traffic = policy_for(view.policy, subset, port.number)
    nearness = nearness_of(traffic, service, settings)
    pool = traffic.connection_pool
    inline = service.is_looked_up
    connect_timeout = pool.tcp.connect_timeout if pool and pool.tcp else None
    return ClusterIntent(
        name=cluster_name("outbound", port.number, subset, view.host),
        protocol=port.protocol,
        resolution=_discovery(service),
        mesh_sni=mesh_sni(port.number, subset, view.host),
        accounts=tuple(account for account in service.accounts if account.startswith("spiffe://")),
        partner=view.partner,
        endpoints=_members(view, port, subset, endpoints) if inline else (),
        balancing=balancing_of(traffic, weighs_localities=nearness is not None and nearness.has_shares),
        connect_timeout_ms=connect_timeout or settings.connect_timeout_ms,
        resolving=Resolving() if service.resolution == "STATIC" else settings.handling.resolving,
        pool=_pool(traffic, port, settings),
        outlier=outlier_of(traffic),
        tls=_tls(traffic, service),
        proxy_protocol=traffic.proxy_protocol.version if traffic.proxy_protocol else "",
        objects=(*(view.policy.refs if view.policy else ()), *_operator_objects(service)),
    )


def _discovery(service: Service) -> Discovery:
    """Names are for the cluster to look up; addresses that are known come by EDS."""
    match service.resolution:
        case "DNS" | "DNS_ROUND_ROBIN" | "DYNAMIC_DNS":
            return service.resolution
        case _:
            return "EDS"


def _pool(traffic: TrafficPolicy, port: ServicePort, settings: MeshSettings) -> ConnectionPool:
    """Rules' limits, with the mesh's word where they say nothing. Only what is declared as HTTP is upgraded."""
    pool = pool_of(traffic)
    said = traffic.connection_pool.http if traffic.connection_pool else None
    is_open = said is None or (said.h2_upgrade_policy == "DEFAULT" and not said.use_client_protocol)
    if settings.upgrades_http and is_open and port.protocol == "HTTP":
        pool = msgspec.structs.replace(pool, http="h2")
    return msgspec.structs.replace(pool, keepalive=pool.keepalive or settings.keepalive)


def _operator_objects(service: Service) -> tuple[ObjectRef, ...]:
    """Only objects: a cluster must not change because one more workload registered for the service."""
    return tuple(source for source in service.sources if source.kind != WORKLOAD_SOURCE)


def _tls(traffic: TrafficPolicy, service: Service) -> ClientTls:
    rule = rule_of(traffic, service)
    if rule != "outside" or traffic.tls is None:
        return ClientTls(mode=rule)
    return ClientTls(mode=rule, outside=originated_tls(traffic.tls, service))


class HostRoutes(msgspec.Struct, frozen=True, kw_only=True):
    """`explicit` is the host's place in the explicit proxy's routes, `by_port` in those of each port, `own` in
    those of listeners of the proxy's own."""

    explicit: tuple[VirtualHostIntent, ...]
    by_port: dict[int, VirtualHostIntent]
    own: dict[str, VirtualHostIntent] = {}
    notes: tuple[Note, ...] = ()


def host_routes(view: HostView) -> HostRoutes:
    """The virtual hosts of one host: one per HTTP port in that port's configuration, and per port in the explicit
    proxy's, where CONNECT to any port (TCP too) is answered as well."""
    if view.service is None or view.is_only_target or not view.service.ports:
        return _hosts_of_rule(view)
    explicit: list[VirtualHostIntent] = []
    by_port: dict[int, VirtualHostIntent] = {}
    notes: list[Note] = []
    names = view.names
    own: dict[str, VirtualHostIntent] = {}
    for port in view.service.ports:
        doors = [each.name for each in view.own if each.port == port.number and each.is_http and port.is_http]
        if port.number in view.unheard and not doors:
            continue
        intent, found = _virtual_host(view, view.service, port)
        notes += found
        domains = tuple(f"{name}:{port.number}" for name in names)
        for door in doors:
            own[door] = msgspec.structs.replace(intent, domains=(*names, *domains))
        if port.number in view.unheard:
            continue
        bare = names if port.number == 80 else ()
        connect, streams = _connect(view, view.service, port)
        notes += streams
        explicit.append(msgspec.structs.replace(intent, domains=(*domains, *bare), connect=connect))
        if port.is_http:
            by_port[port.number] = msgspec.structs.replace(intent, domains=(*names, *domains))
    if explicit and not view.host.startswith("*"):
        explicit.append(_unserved_ports(view, view.service))
    return HostRoutes(explicit=tuple(explicit), by_port=by_port, own=own, notes=tuple(dict.fromkeys(notes)))


def tunnelled_ports(view: HostView) -> tuple[ServicePort, ...]:
    """Those to which CONNECT is opened in an internal listener, for some client at least."""
    if view.service is None or view.is_only_target:
        return ()
    has_streams = view.rules is not None and bool(view.rules.spec.tls or view.rules.spec.tcp)
    if not view.service.has_endpoints and not has_streams:
        return ()
    return tuple(port for port in view.service.ports if port.number not in view.unheard)


def _unserved_ports(view: HostView, service: Service) -> VirtualHostIntent:
    """A known host on a port it does not serve is answered here, and says so: as an unknown host it would be asked of
    outside DNS."""
    heard = [port.number for port in service.ports if port.number not in view.unheard]
    served = ", ".join(map(str, heard))
    refused = DirectResponse(
        status=UNSERVED_PORT_STATUS, body=f"service {view.host} serves port {served}, not this one\n"
    )
    bare = () if 80 in heard else view.names
    return VirtualHostIntent(
        name=f"{view.host}:*",
        domains=(*bare, *(f"{name}:*" for name in view.names)),
        routes=(
            RouteIntent(name="unserved_port", direct_response=refused, objects=_operator_objects(service)),
        ),
        connect=Connect(refusal=UNSERVED_PORT_STATUS),
        objects=_operator_objects(service),
    )


def _connect(view: HostView, service: Service, port: ServicePort) -> tuple[Connect, tuple[Note, ...]]:
    found = outbound_streams(view, service, port)
    guarded = "" if service.has_endpoints else _by_name(view, service, port).cluster
    if not found.streams:
        return Connect(guarded=guarded), found.notes
    tunnel = connect_cluster_name(port.number)
    connect = Connect(port=port.number, tunnel=tunnel, streams=found.streams, guarded=guarded)
    return connect, found.notes


def _virtual_host(
    view: HostView, service: Service, port: ServicePort
) -> tuple[VirtualHostIntent, tuple[Note, ...]]:
    name, own = virtual_host_name(view.host, port.number), _operator_objects(service)
    if not port.is_http:
        refused = DirectResponse(status=400, body=f"port {port.number} of {view.host} does not speak HTTP\n")
        answer = RouteIntent(direct_response=refused, objects=own)
        return VirtualHostIntent(name=name, domains=(), routes=(answer,), objects=own), ()
    default_route = _default_route(view, service, port)
    default = VirtualHostIntent(name=name, domains=(), routes=(default_route,), objects=own)
    if view.rules is None:
        return default, ()
    rules = rules_at(view.rules, port)
    translated = translate_rules(rules, view.destinations, port=port.number, gateways=MESH)
    if not translated.routes:
        # Rules of which none is for this client say nothing of the host, as in Istio.
        return default, translated.notes
    intent = VirtualHostIntent(name=name, domains=(), routes=translated.routes, objects=view.rules.objects)
    return intent, translated.notes


def _default_route(view: HostView, service: Service, port: ServicePort) -> RouteIntent:
    own = Destination(ports=service.ports, policy=view.policy)
    is_by_name = not service.has_endpoints
    target = _by_name(view, service, port) if is_by_name else target_at(own, port, "", service.hostname)
    return RouteIntent(
        name="default",
        targets=(target,),
        retry=view.retry,
        guarded=is_by_name,
        objects=_operator_objects(service),
    )


def _by_name(view: HostView, service: Service, port: ServicePort) -> Target:
    """To where the client's own word leads. The virtual host it is in has the service's names alone."""
    if service.resolution == "NONE":
        return Target(cluster=PASSTHROUGH)
    return Target(cluster=cluster_name("outbound", port.number, "", service.hostname), is_dynamic=True)


def _hosts_of_rule(view: HostView) -> HostRoutes:
    """A rule's host that no service has: requests may go to it on any port, and go where the rule says."""
    if view.rules is None:
        return HostRoutes(explicit=(), by_port={}, notes=())
    translated = translate_rules(view.rules, view.destinations, port=80, gateways=MESH)
    notes = list(translated.notes)
    spec = view.rules.spec
    if spec.tls or spec.tcp:
        message = (
            f"no service or ServiceEntry has the host {view.host}, and with it the ports of tls and tcp rules"
        )
        notes.append(Note(code="host-missing", about=view.rules.ref, message=message))
        if not spec.http:
            return HostRoutes(explicit=(), by_port={}, notes=tuple(notes))
    if not translated.routes:
        return HostRoutes(explicit=(), by_port={}, notes=tuple(notes))
    names = view.names
    domains = names if view.host.startswith("*") else (*names, *(f"{name}:*" for name in names))
    intent = VirtualHostIntent(
        name=virtual_host_name(view.host, 80),
        domains=domains,
        routes=translated.routes,
        objects=view.rules.objects,
    )
    own = {each.name: intent for each in view.own if each.is_http}
    if view.wider is None:
        return HostRoutes(explicit=(intent,), by_port={}, own=own, notes=tuple(notes))
    return _below(view, view.wider, msgspec.structs.replace(intent, name=f"{view.host}:*"), notes)


def _below(view: HostView, service: Service, anywhere: VirtualHostIntent, notes: list[Note]) -> HostRoutes:
    """A rule's host that is one of a service's names, below a wildcard: at the service's ports the wildcard's virtual
    host would come before one of the name for any port, so there the name has its own."""
    explicit = [anywhere]
    by_port: dict[int, VirtualHostIntent] = {}
    for port in service.ports:
        if port.is_http:
            intent, found = _virtual_host(view, service, port)
            connect, streams = _connect(view, service, port)
            notes += (*found, *streams)
            domains = tuple(f"{name}:{port.number}" for name in view.names)
            explicit.append(msgspec.structs.replace(intent, domains=domains, connect=connect))
            if service.has_endpoints:
                by_port[port.number] = msgspec.structs.replace(intent, domains=(*view.names, *domains))
    return HostRoutes(explicit=tuple(explicit), by_port=by_port, notes=tuple(dict.fromkeys(notes)))


def unknown_hosts(policy: OutboundPolicy) -> VirtualHostIntent:
    """Where requests for hosts go that the mesh does not know."""
    if policy == "REGISTRY_ONLY":
        return VirtualHostIntent(
            name="block_all",
            domains=("*",),
            routes=(
                RouteIntent(name="block_all", direct_response=DirectResponse(status=REGISTRY_ONLY_STATUS)),
            ),
            connect=Connect(refusal=REGISTRY_ONLY_STATUS),
        )
    return VirtualHostIntent(
        name="allow_any",
        domains=("*",),
        routes=(RouteIntent(name="allow_any", targets=(Target(cluster=PASSTHROUGH),), guarded=True),),
        connect=Connect(guarded=PASSTHROUGH),
    )


def egress_hosts(view: HostView | None, egress: EgressProxy) -> tuple[VirtualHostIntent, tuple[Note, ...]]:
    """Where requests for hosts go that the mesh does not know, when there is a proxy for them."""
    objects = (egress.sidecar,)
    target = egress_target(view, egress)
    if target is None:
        name = "/".join(part for part in (egress.host, egress.subset) if part)
        refused = DirectResponse(status=REGISTRY_ONLY_STATUS, body=f"no egress proxy {name}:{egress.port}\n")
        intent = VirtualHostIntent(
            name="egress_proxy",
            domains=("*",),
            routes=(RouteIntent(name="egress_proxy", direct_response=refused, objects=objects),),
            connect=Connect(refusal=REGISTRY_ONLY_STATUS),
            objects=objects,
        )
        message = f"{name}:{egress.port}"
        return intent, (Note(code="destination-missing", about=egress.sidecar, message=message),)
    stream = ConnectStream(stream=Stream(targets=(target,)), objects=objects)
    return VirtualHostIntent(
        name="egress_proxy",
        domains=("*",),
        routes=(RouteIntent(name="egress_proxy", targets=(target,), objects=objects),),
        connect=Connect(port=egress.port, tunnel=connect_cluster_name(egress.port), streams=(stream,)),
        objects=objects,
    ), ()


def egress_target(view: HostView | None, egress: EgressProxy) -> Target | None:
    """None when there is no such service, port or subset."""
    service = view.service if view is not None else None
    if view is None or service is None or not service.has_endpoints:
        return None
    port = service.port(egress.port)
    if port is None or (egress.subset and egress.subset not in _subset_names(view)):
        return None
    return target_at(Destination(ports=service.ports, policy=view.policy), port, egress.subset, view.host)
