"""From a gateway's view to its listeners' and routes' intents.

Several Gateway objects may ask for one port: `gateway_plan` settles which server has which names. The rules bound to
any of them are put together, those of one host in the order of their objects' names.
"""

from collections.abc import Iterator
from ipaddress import ip_network

import msgspec

from proa.core.model.names import ObjectRef, expand_host
from proa.core.model.notes import Note
from proa.core.model.settings import MeshSettings
from proa.core.pilot.scope.authorization import AuthorizationView
from proa.core.pilot.scope.selectors import matches_of
from proa.core.pilot.scope.views import GatewayServer, GatewayView, Rules, qualified_gateway
from proa.core.pilot.translate.authorization.filters import AuthorizationIntent, authorization_name, seen_from
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.gateway_plan import (
    PortPlan,
    Share,
    covers,
    dns_name,
    owner_admits,
    plan_gateway,
)
from proa.core.pilot.translate.listeners.gateway import GatewayChain, GatewayListenerIntent
from proa.core.pilot.translate.operator_tls import served_tls
from proa.core.pilot.translate.routes.intents import (
    DirectResponse,
    Redirect,
    RouteIntent,
    Stream,
    Target,
    VirtualHostIntent,
)
from proa.core.pilot.translate.rules import translate_rules
from proa.core.pilot.translate.streams import tcp_rules, tls_rules
from proa.core.pilot.translate.through import through_names


class GatewayRoutes(msgspec.Struct, frozen=True, kw_only=True):
    """One route configuration: its name and virtual hosts."""

    name: str
    hosts: tuple[VirtualHostIntent, ...]
    notes: tuple[Note, ...] = ()


class GatewayListeners(msgspec.Struct, frozen=True, kw_only=True):
    listeners: tuple[GatewayListenerIntent, ...]
    notes: tuple[Note, ...] = ()


def gateway_listeners(
    view: GatewayView, policies: AuthorizationView, settings: MeshSettings, revoked_since: int = 0
) -> GatewayListeners:
    """Only ports that the agent has bound: the others open as soon as it has told where. A port on which nothing can
    be taken (streams without a rule) has none."""
    bound = {port.port: port.bound_port for port in view.workload.gateway_ports}
    plan = plan_gateway(view)
    notes = list(plan.notes)
    listeners: list[GatewayListenerIntent] = []
    for port in plan.ports:
        chains = tuple(
            _to_partners(chain) if view.workload.knows_partners else chain
            for chain in _chains(view, port, notes)
        )
        carries = any(chain.is_mesh_tls for chain in chains)
        if port.port in bound and chains:
            listeners.append(
                GatewayListenerIntent(
                    bind=port.bind or view.workload.bind,
                    name=f"{port.bind or '0.0.0.0'}_{port.port}",
                    bound_port=bound[port.port],
                    handling=settings.handling,
                    authorization=_authorization(port, policies, settings),
                    chains=chains,
                    objects=tuple(sorted({each.ref for share in port.shares for each in share.servers})),
                    revoked_since=revoked_since if carries else 0,
                )
            )
    return GatewayListeners(listeners=tuple(listeners), notes=tuple(dict.fromkeys(notes)))


def _to_partners(chain: GatewayChain) -> GatewayChain:
    """Whose agent knows partners shows its mesh TLS to them too."""
    if chain.tls is None or not chain.is_mesh_tls:
        return chain
    return msgspec.structs.replace(chain, tls=msgspec.structs.replace(chain.tls, knows_partners=True))


def gateway_authorization(listeners: GatewayListeners) -> Iterator[AuthorizationIntent]:
    """What the listeners' places for policies are filled with."""
    for listener in listeners.listeners:
        for has_peer in sorted({chain.is_mesh_tls for chain in listener.chains if chain.routes}):
            yield seen_from(listener.authorization, has_peer=has_peer)


def _authorization(
    port: PortPlan, policies: AuthorizationView, settings: MeshSettings
) -> AuthorizationIntent:
    name = authorization_name(port.port)
    return AuthorizationIntent(
        name=f"{name}.{port.bind}" if port.bind else name,
        place=Place(
            ports=(port.port,), trust_domain=settings.trust_domain, aliases=settings.trust_domain_aliases
        ),
        policies=policies.everywhere,
        providers=settings.check_providers if any(each.provider for each in policies.everywhere) else (),
    )


class _Claims:
    """What connections of a port are taken already: by the name asked for in TLS and the network dialled. Envoy
    refuses a listener in which two chains have the same."""

    def __init__(self, notes: list[Note]) -> None:
        self._notes = notes
        self._owners: dict[tuple[str, str], ObjectRef] = {}

    def take(self, chain: GatewayChain, who: ObjectRef) -> Iterator[GatewayChain]:
        """The chain with what of its connections was free, a chain per network; a Note for the rest."""
        for subnet in dict.fromkeys(map(_network, chain.subnets)) or ("",):
            names = chain.sni or ("",)
            free = tuple(name for name in names if (name, subnet) not in self._owners)
            for name in names:
                owner = self._owners.setdefault((name, subnet), who)
                if name not in free and owner != who:
                    what = " ".join(word for word in (name, subnet) if word) or "this port's connections"
                    message = f"{what}: taken by {owner} already, on {chain.name}"
                    self._notes.append(Note(code="gateway-route-conflict", about=who, message=message))
            if free:
                yield msgspec.structs.replace(
                    chain,
                    name=f"{chain.name} {subnet}".rstrip(),
                    sni=free if chain.sni else (),
                    subnets=(subnet,) if subnet else (),
                )


def _network(written: str) -> str:
    return str(ip_network(written, strict=False))


def _chains(view: GatewayView, port: PortPlan, notes: list[Note]) -> tuple[GatewayChain, ...]:
    """Names of servers that end TLS are theirs before those that rules for unopened TLS ask for."""
    claims = _Claims(notes)
    chains: list[GatewayChain] = []
    for share in sorted(port.shares, key=lambda share: share.is_unopened):
        if share.server.is_http:
            chains += claims.take(_http_chain(port, share), share.servers[0].ref)
        else:
            for chain, who in _stream_chains(view, share, port.port, notes):
                chains += claims.take(chain, who)
    return tuple(chains)


def _http_chain(port: PortPlan, share: Share) -> GatewayChain:
    tls = share.server.tls if share.server.is_tls else None
    return GatewayChain(
        name=share.name if share.server.is_tls else "",
        sni=share.hosts if share.server.is_tls else (),
        tls=served_tls(tls) if tls else None,
        routes=port.routes_of(share),
        is_grpc_web=share.is_grpc_web,
        objects=share.objects,
    )


def _stream_chains(
    view: GatewayView, share: Share, port: int, notes: list[Note]
) -> Iterator[tuple[GatewayChain, ObjectRef]]:
    """With the object that asks for each: of streams that come in the clear or whose TLS ends here the `tcp` rules, of
    TLS that passes as it is the `tls` rules, or the services of the mesh themselves."""
    if share.is_automatic:
        yield from _mesh_chains(view, share)
        return
    tls = served_tls(share.server.tls) if share.server.tls and share.server.is_tls else None
    for rules in view.rules:
        admitted = _admitted(rules, tuple(_named_by(rules, share.servers)))
        gateways = frozenset(
            f"{each.ref.namespace}/{each.ref.name}" for admitting in admitted.values() for each in admitting
        )
        served = {dns_name(host) for each in admitted.values() for one in each for host in one.server.hosts}
        translate = tls_rules if share.is_unopened else tcp_rules
        found = translate(rules, view.destinations, port=port, gateways=gateways)
        notes += found.notes
        for rule in found.rules:
            names = tuple(name for name in share.hosts if name in served) if share.server.is_tls else ()
            if share.is_unopened:
                names = tuple(name for name in rule.sni if any(covers(host, name) for host in admitted))
            if not names and share.server.is_tls:
                continue
            chain = GatewayChain(
                name=f"{share.name} {rules.ref.namespace}/{rules.ref.name} {rule.rule}",
                sni=names,
                subnets=rule.subnets,
                tls=tls,
                stream=rule.stream,
                objects=(*share.objects, rules.ref),
            )
            yield chain, rules.ref


def _named_by(rules: Rules, servers: tuple[GatewayServer, ...]) -> Iterator[GatewayServer]:
    """The servers of Gateways that a rule is bound to: of those that share a certificate each has its own names."""
    names = {
        qualified_gateway(name, rules.ref.namespace)
        for name in (
            *rules.spec.gateways,
            *(name for match in matches_of(rules.spec) for name in match.gateways),
        )
    }
    return (each for each in servers if f"{each.ref.namespace}/{each.ref.name}" in names)


def _mesh_chains(view: GatewayView, share: Share) -> Iterator[tuple[GatewayChain, ObjectRef]]:
    """Mesh TLS names the cluster it is for: `outbound_.9080_.v1_.host`."""
    for host in view.through:
        if any(covers(each, host.host) for each in share.hosts):
            for name in through_names(host):
                chain = GatewayChain(
                    name=name,
                    sni=(name,),
                    stream=Stream(targets=(Target(cluster=name),)),
                    objects=share.objects,
                )
                yield chain, share.servers[0].ref


def gateway_routes(view: GatewayView) -> tuple[GatewayRoutes, ...]:
    return tuple(
        _routes(view, port, share)
        for port in plan_gateway(view).ports
        for share in port.shares
        if share.server.is_http
    )


def _routes(view: GatewayView, port: PortPlan, share: Share) -> GatewayRoutes:
    number = port.port
    hosts: dict[str, list[RouteIntent]] = {}
    objects: dict[str, list[ObjectRef]] = {}
    notes: list[Note] = []
    for server in share.servers:
        if server.redirects:
            for host in server.server.hosts:
                hosts.setdefault(dns_name(host), []).append(_to_https((server.ref,)))
                objects.setdefault(dns_name(host), []).append(server.ref)
    for rules in view.rules:
        for host, admitting in _admitted(rules, share.servers).items():
            gateways = frozenset(f"{each.ref.namespace}/{each.ref.name}" for each in admitting)
            translated = translate_rules(rules, view.destinations, port=number, gateways=gateways)
            notes += translated.notes
            if not translated.routes:
                continue
            redirects = all(each.redirects for each in admitting)
            moved = (_to_https(tuple(each.ref for each in admitting)),)
            hosts.setdefault(host, []).extend(moved if redirects else translated.routes)
            objects.setdefault(host, []).extend(rules.objects)
    bound = next((each.bound_port for each in view.workload.gateway_ports if each.port == number), number)
    intents = [
        VirtualHostIntent(
            name=f"{host}:{number}",
            domains=_domains(host, number, bound),
            routes=tuple(routes),
            objects=tuple(objects[host]),
        )
        for host, routes in sorted(hosts.items())
    ]
    if "*" not in hosts:
        nothing = RouteIntent(
            name="blackhole", direct_response=DirectResponse(status=404), objects=share.objects
        )
        intents.append(VirtualHostIntent(name=f"blackhole:{number}", domains=("*",), routes=(nothing,)))
    return GatewayRoutes(name=port.routes_of(share), hosts=tuple(intents), notes=tuple(dict.fromkeys(notes)))


def _domains(host: str, port: int, bound: int) -> tuple[str, ...]:
    """A client writes the port it called beside the name: any for a plain name; beside a wildcard Envoy takes no
    second one, so there the port asked for and the one really bound are named."""
    if host == "*":
        return (host,)
    if host.startswith("*"):
        return tuple(dict.fromkeys((host, f"{host}:{port}", f"{host}:{bound}")))
    return (host, f"{host}:*")


def _to_https(gateways: tuple[ObjectRef, ...]) -> RouteIntent:
    return RouteIntent(name="https_redirect", redirect=Redirect(scheme="https"), objects=gateways)


def _admitted(rules: Rules, servers: tuple[GatewayServer, ...]) -> dict[str, list[GatewayServer]]:
    """The names under which a rule may be served, with the servers that let it: the narrower of its hosts and the
    server's, where one covers the other and the server admits rules of that namespace."""
    admitted: dict[str, list[GatewayServer]] = {}
    for each in servers:
        for entry in each.server.hosts:
            owner, slash, _ = entry.rpartition("/")
            server_host = dns_name(entry)
            if slash and not owner_admits(owner, rules.ref.namespace, each.ref.namespace):
                continue
            for written in rules.spec.hosts:
                host = expand_host(written, rules.ref.namespace)
                if covers(server_host, host):
                    admitted.setdefault(host, []).append(each)
                elif covers(host, server_host):
                    admitted.setdefault(server_host, []).append(each)
    return admitted
