"""Views: what of the world one scope's proxies are told, host by host.

All proxies of an equal scope share one OutboundView and so every resource made of it. A view names services, policies
and rules and holds no endpoints: an address that comes or goes leaves it as it is.
"""

from collections.abc import Iterator

import msgspec
from immutables import Map

from proa.core.config.config import Config
from proa.core.config.kinds.gateway.schema import Gateway, Server
from proa.core.config.kinds.virtual_service.delegation import Origin, merged
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.model.digest import digest_of
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, short_names
from proa.core.model.notes import Note
from proa.core.model.service import Service, ServicePort
from proa.core.model.settings import Retry
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.scope.federation import partner_behind
from proa.core.pilot.scope.index import RuleIndex, bound_to_mesh, by_age, destinations_of
from proa.core.pilot.scope.policies import Policy, candidates, is_visible, policy_of
from proa.core.pilot.scope.scope import Scope, plain_scope


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule must know of where it sends: which clusters exist there, and what their policy asks of routes.
    `wildcard`: what is asked for is looked up, and must be below it."""

    ports: tuple[ServicePort, ...]
    policy: Policy | None = None
    by_passthrough: bool = False
    wildcard: str = ""

    def has_subset(self, name: str) -> bool:
        return self.policy is not None and any(subset.name == name for subset in self.policy.subsets)

    def port(self, number: int) -> ServicePort | None:
        return next((port for port in self.ports if port.number == number), None)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The VirtualService in force for a host, with what its delegates say in their places: `origins` (of `spec.http`,
    one by one) tell where each rule was written, and are none without delegates. `skipped` are the numbers of rules
    (of `http`, `tls`, `tcp`) that are not for the client at hand. `retry`: of rules that say nothing of it."""

    ref: ObjectRef
    spec: VirtualService
    origins: tuple[Origin, ...] = ()
    notes: tuple[Note, ...] = ()
    skipped: frozenset[int] = frozenset()
    skipped_tls: frozenset[int] = frozenset()
    skipped_tcp: frozenset[int] = frozenset()
    retry: Retry = Retry()

    @property
    def objects(self) -> tuple[ObjectRef, ...]:
        """All who have a rule in it, the root first."""
        named = (origin.delegate for origin in self.origins)
        return tuple(dict.fromkeys((self.ref, *(ref for ref in named if ref is not None))))

    def origin(self, number: int) -> Origin:
        return self.origins[number] if self.origins else Origin(number=number)


class OwnDoor(msgspec.Struct, frozen=True):
    """A listener of a proxy's own: its name and the services' port that it is for."""

    name: str
    port: int
    is_http: bool


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """One host as its clients see it. `names` are the spellings that mean it, the full one first; `destinations`
    those its rules name and that exist for this scope. `is_only_target`: the service is not imported, only rules that
    are send to it; nobody calls it by its name. `unheard`: of its ports those that requests by proxy variables do
    not reach, `own`: listeners of the proxy's own that lead to it. `wider`: of a host that only rules
    name, the service for all names below a wildcard that it is one of. `partner`: the trust domain of another mesh
    whose workloads its servers are. `digest` tells two views of a host apart."""

    host: str
    names: tuple[str, ...]
    service: Service | None
    policy: Policy | None
    rules: Rules | None
    destinations: Map[str, Destination]
    is_only_target: bool = False
    unheard: frozenset[int] = frozenset()
    own: tuple[OwnDoor, ...] = ()
    wider: Service | None = None
    retry: Retry = Retry()
    partner: str = ""
    digest: str = ""


class GatewayServer(msgspec.Struct, frozen=True, kw_only=True):
    ref: ObjectRef
    server: Server

    @property
    def redirects(self) -> bool:
        """Whether it sends all requests to HTTPS."""
        return self.server.tls is not None and self.server.tls.https_redirect and not self.server.is_tls


class GatewayView(msgspec.Struct, frozen=True, kw_only=True):
    """What one gateway workload serves: its servers and, the oldest first, the rules bound to them. `through`:
    the services that mesh TLS may pass to unopened; none without an AUTO_PASSTHROUGH server."""

    workload: Workload
    servers: tuple[GatewayServer, ...]
    rules: tuple[Rules, ...]
    destinations: Map[str, Destination]
    through: tuple[HostView, ...] = ()


def host_view(snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, host: str) -> HostView | None:
    """None when this scope sees neither a service nor a rule of that name."""
    service = imported_service(snapshot, scope, host)
    # Without a service a wildcard's rules are the wildcard's own affair: it has a view, too.
    rules = _rules(snapshot, index, scope, host, exact=service is None)
    is_only_target = service is None and _is_sent_to(snapshot, index, scope, host)
    own = tuple(_doors(scope, host, service, rules))
    if is_only_target or (scope.ports and service and _is_sent_to(snapshot, index, scope, host)):
        # Rules may send to ports that are not imported.
        service = visible_service(snapshot, scope, host)
    if service is None and rules is None:
        return None
    destinations: Map[str, Destination] = Map()
    if rules is not None:
        named = destinations_of(rules.spec, rules.ref.namespace)
        destinations = _destinations(snapshot, index, scope, named)
    policy = policy_of(snapshot, index, scope, service) if service else None
    view = HostView(
        host=host,
        names=_names(snapshot, index, scope, host),
        service=service,
        policy=policy,
        rules=rules,
        destinations=destinations,
        is_only_target=is_only_target and service is not None,
        unheard=_unheard(scope, service) if scope.ports and service else frozenset(),
        own=own,
        wider=_wider(snapshot, scope, host) if service is None else None,
        retry=snapshot.settings.retry,
        partner=partner_behind(snapshot, index, scope.namespace, service),
    )
    return msgspec.structs.replace(view, digest=digest_of(view))


def _doors(scope: Scope, host: str, service: Service | None, rules: Rules | None) -> Iterator[OwnDoor]:
    for each in scope.own:
        if service is not None:
            leads = service.port(each.port) is not None and each.has(service.namespace, host)
        else:
            leads = rules is not None and each.touches(rules.ref.namespace, host)
        if leads:
            yield OwnDoor(each.name, each.port, each.is_http)


def _unheard(scope: Scope, service: Service) -> frozenset[int]:
    return frozenset(
        port.number
        for port in service.ports
        if not scope.hears(port.number, service.namespace, service.hostname)
    )


def _wider(snapshot: MeshSnapshot, scope: Scope, host: str) -> Service | None:
    """That of the longest wildcard above a name."""
    dots = (at for at, sign in enumerate(host) if sign == ".")
    found = (imported_service(snapshot, scope, f"*{host[at:]}") for at in dots if not host.startswith("*"))
    return next((service for service in found if service is not None), None)


def visible_service(snapshot: MeshSnapshot, scope: Scope, host: str) -> Service | None:
    """What is exported to this scope's namespace."""
    service = snapshot.services.get(host)
    return service if service is not None and service.is_seen_from(scope.namespace) else None


def imported_service(snapshot: MeshSnapshot, scope: Scope, host: str) -> Service | None:
    """What this scope may call by name, with the ports that it may call."""
    service = visible_service(snapshot, scope, host)
    if service is None or not scope.is_narrow:
        return service
    if not scope.ports or not service.ports:
        is_in = scope.imports is None or scope.imports.has(service.namespace, host)
        return service if is_in else None
    ports = tuple(port for port in service.ports if scope.has(port.number, service.namespace, host))
    if len(ports) == len(service.ports):
        return service
    return msgspec.structs.replace(service, ports=ports) if ports else None


def _is_sent_to(snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, host: str) -> bool:
    """Whether rules of this scope, its Sidecar, or policies that ask a program, may send to a host that it does not
    import."""
    if not scope.is_narrow:
        return False
    if scope.egress is not None and scope.egress.host == host:
        return True
    if host in snapshot.settings.provider_hosts:
        return True
    return any(
        host in destinations_of(rules.spec, rules.ref.namespace)
        for named in index.mentions.get(host, frozenset())
        for rules in _rules_named(snapshot, index, scope, named)
    )


def visible_hosts(snapshot: MeshSnapshot, index: RuleIndex, scope: Scope) -> frozenset[str]:
    """All names a scope may have a view of; only for a scope that is new."""
    seen = frozenset(host for host in snapshot.services if imported_service(snapshot, scope, host))
    sent_to = frozenset(index.mentions) if scope.is_narrow else frozenset[str]()
    egress = frozenset((scope.egress.host,)) if scope.egress is not None else frozenset[str]()
    asked = snapshot.settings.provider_hosts
    return seen | frozenset(index.virtual_services) | sent_to | egress | asked


def endpoints_of(snapshot: MeshSnapshot, host: str) -> tuple[Endpoint, ...]:
    found = snapshot.endpoints.get(host)
    return found.endpoints if found else ()


def _sees_rules(snapshot: MeshSnapshot, spec: VirtualService, ref: ObjectRef, scope: Scope) -> bool:
    return is_visible(spec.export_to or snapshot.settings.rule_export_to, ref.namespace, scope)


def _names(snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, host: str) -> tuple[str, ...]:
    """Without those that are another host's full name: one domain twice would void a proxy's whole routes."""
    return tuple(
        name
        for name in short_names(host, scope.namespace)
        if name == host
        or not (imported_service(snapshot, scope, name) or _rules(snapshot, index, scope, name, exact=True))
    )


def _rules(snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, host: str, *, exact: bool) -> Rules | None:
    """On sidecars one VirtualService has a host: of several the oldest."""
    for name in candidates(index.virtual_services, host, exact=exact):
        for rules in _rules_named(snapshot, index, scope, name):
            return rules
    return None


def _rules_named(snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, name: str) -> Iterator[Rules]:
    """The rules for a name, a wildcard as it is written, that are exported to this scope and imported by it; the oldest
    first."""
    for ref in by_age(snapshot, index.virtual_services.get(name, frozenset())):
        if not scope.touches(ref.namespace, name):
            continue
        config = snapshot.configs[ref]
        if isinstance(config, Config) and isinstance(config.spec, VirtualService):
            rules = _merged(snapshot, ref, config.spec)
            if bound_to_mesh(rules.spec) and _sees_rules(snapshot, config.spec, ref, scope):
                yield rules


def _merged(snapshot: MeshSnapshot, ref: ObjectRef, spec: VirtualService) -> Rules:
    found = merged(snapshot.configs, ref, spec, snapshot.settings.rule_export_to)
    notes = tuple(lost.note(ref) for lost in found.lost)
    return Rules(ref=ref, spec=found.spec, origins=found.origins, notes=notes, retry=snapshot.settings.retry)


def _destinations(
    snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, hosts: frozenset[str]
) -> Map[str, Destination]:
    found: dict[str, Destination] = {}
    for host in hosts:
        service = visible_service(snapshot, scope, host)
        if service is None:
            continue
        found[host] = Destination(
            ports=service.ports,
            policy=policy_of(snapshot, index, scope, service),
            by_passthrough=service.resolution == "NONE",
            wildcard=host if service.resolution == "DYNAMIC_DNS" else "",
        )
    return Map(found)


def gateway_view(snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> GatewayView:
    """Gateways pick workloads by label in any namespace; rules pick Gateways as `namespace/name` or by name."""
    servers = tuple(
        GatewayServer(ref=ref, server=server)
        for ref, spec in _gateways(snapshot, index)
        if all(workload.labels.get(key) == value for key, value in spec.selector.items())
        for server in spec.servers
    )
    names = {f"{each.ref.namespace}/{each.ref.name}" for each in servers}
    scope = plain_scope(index, workload.id.namespace, workload.labels)
    rules: list[Rules] = []
    for ref in by_age(snapshot, index.edge_rules):
        config = snapshot.configs[ref]
        spec = config.spec
        if isinstance(spec, VirtualService) and _sees_rules(snapshot, spec, ref, scope):
            if any(qualified_gateway(name, ref.namespace) in names for name in spec.gateways):
                rules.append(_merged(snapshot, ref, spec))
    hosts = frozenset(host for each in rules for host in destinations_of(each.spec, each.ref.namespace))
    return GatewayView(
        workload=workload,
        servers=servers,
        rules=tuple(rules),
        destinations=_destinations(snapshot, index, scope, hosts),
        through=tuple(_through(snapshot, index, scope, servers)),
    )


def _through(
    snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, servers: tuple[GatewayServer, ...]
) -> Iterator[HostView]:
    if any(each.server.tls and each.server.tls.mode == "AUTO_PASSTHROUGH" for each in servers):
        for host in sorted(snapshot.services):
            view = host_view(snapshot, index, scope, host)
            if view is not None and view.service is not None:
                yield view


def qualified_gateway(name: str, namespace: str) -> str:
    """A Gateway's name as a rule writes it, in full: `namespace/name`."""
    return name if "/" in name else f"{namespace}/{name}"


def _gateways(snapshot: MeshSnapshot, index: RuleIndex) -> list[tuple[ObjectRef, Gateway]]:
    found: list[tuple[ObjectRef, Gateway]] = []
    for ref in by_age(snapshot, index.gateways):
        spec = snapshot.configs[ref].spec
        if isinstance(spec, Gateway):
            found.append((ref, spec))
    return found


def wanted_gateway_ports(snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> tuple[int, ...]:
    """The server ports that the Gateways in force ask this workload to open."""
    servers = gateway_view(snapshot, index, workload).servers
    return tuple(sorted({each.server.port.number for each in servers}))
