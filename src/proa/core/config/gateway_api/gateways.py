"""A Gateway with the routes bound to it.

For each HTTP port and host name there is one VirtualService with the rules of all routes that serve the host, the most
specific match first; so a listener's routes never answer for a more specific listener, as the specification wants.
"""

from collections.abc import Iterator

from proa.core.config.gateway_api.attach import (
    Attached,
    Door,
    attach,
    covers,
    host_of,
    intersection,
    listener_hosts,
    refused,
    specificity,
)
from proa.core.config.gateway_api.backends import shares
from proa.core.config.gateway_api.bound import (
    NOT_FOUND,
    Bound,
    Derivation,
    Made,
    Member,
    virtual_service,
)
from proa.core.config.gateway_api.doors import (
    Attachment,
    Entrance,
    entrance,
    gateway_standing,
    set_standings,
)
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL, Gateway
from proa.core.config.gateway_api.rules import HTTP_ERROR, Place, Ruled
from proa.core.config.gateway_api.schema import GrpcRoute, HttpRoute, TcpRoute, TlsRoute
from proa.core.config.legacy.draft import SPEC, Derived, Draft
from proa.core.config.legacy.draft import Place as Written
from proa.core.config.legacy.services import object_name
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

STREAMS = ("TLS", "TCP")
"""Protocols of listeners whose connections carry no requests that we read."""
Binding = tuple[Bound, Attached]


def derived_gateway_name(name: str) -> str:
    return f"{name}-gateway-api"


def derive_gateway(ref: ObjectRef, spec: Gateway, bound: list[Bound], sets: list[Member]) -> Derivation:
    found = entrance(ref, spec, sets)
    attached = _settled([_attach(each, ref, found) for each in bound])
    made = list(_servers(ref, found.doors))
    of_route: dict[tuple[ObjectRef, int], list[ObjectRef]] = {}
    for door in found.doors:
        if door.listener.protocol in STREAMS:
            bindings = [(each, one) for each, _, ones in attached for one in ones if one.door == door]
            made += _stream_servers(ref, door, bindings)
            for stream, route in _streams(ref, door, bindings):
                made.append(stream)
                of_route.setdefault((route.ref, route.number), []).append(stream.derived.ref)
    requests = [each for each in found.doors if each.listener.protocol not in STREAMS]
    for port in sorted({each.listener.port for each in requests}):
        at_port = [
            (each, one) for each, _, ones in attached for one in ones if one.door.listener.port == port
        ]
        hosts = {host for host, _ in listener_hosts(found.doors, port)}
        hosts |= {host for _, binding in at_port for host in binding.hosts}
        for host in sorted(hosts):
            one, served = _host(ref, found.doors, port, host, at_port)
            if one is None:
                continue
            made.append(one)
            for each in served:
                of_route.setdefault((each.ref, each.number), []).append(one.derived.ref)
    standings = [
        each.standing(accepted, tuple(of_route.get((each.ref, each.number), ())), gateway=ref.name)
        for each, accepted, _ in attached
    ]
    refs = tuple(each.derived.ref for each in made)
    own = gateway_standing(ref, found, attached, refs)
    others = set_standings(ref, found, attached, refs)
    return Derivation(made=tuple(made), standings=(own, *others, *standings))


def _attach(each: Bound, ref: ObjectRef, found: Entrance) -> Attachment:
    """To the listeners of the very object that the route names."""
    parent = each.parent
    owner = ref
    if parent.kind != "Gateway":
        owner = ObjectRef(parent.kind, parent.namespace or each.ref.namespace, parent.name)
        if owner in found.refused:
            return each, refused("NoMatchingParent", f"{ref} does not let {owner} in"), ()
    doors = [door for door in found.doors if door.owner == owner]
    return each, *attach(each.ref, each.hostnames, parent, doors)


def _settled(attached: list[Attachment]) -> list[Attachment]:
    """Of HTTPRoutes and GRPCRoutes that claim one name of one listener the older has it, then the first by name: one
    host's requests are of one of both kinds, as the specification wants."""
    if len({each.ref.kind for each, _, _ in attached if isinstance(each.spec, HttpRoute | GrpcRoute)}) < 2:
        return attached
    kept: dict[int, tuple[Attached, ...]] = {}
    taken: list[tuple[Door, str, str]] = []
    order = sorted(range(len(attached)), key=lambda at: (attached[at][0].created, *_name(attached[at][0])))
    for at in order:
        each, _, bindings = attached[at]
        kind = each.ref.kind
        if isinstance(each.spec, HttpRoute | GrpcRoute):
            bindings = tuple(one for one in bindings if not _is_taken(one, kind, taken))
            taken += [(one.door, kind, host) for one in bindings for host in one.hosts]
        kept[at] = bindings
    return [
        _judged(each, kept[at], had_some=bool(each[2])) if kept[at] != each[2] else each
        for at, each in enumerate(attached)
    ]


def _name(each: Bound) -> tuple[str, str, str, int]:
    return (each.ref.namespace, each.ref.name, each.ref.kind, each.number)


def _is_taken(binding: Attached, kind: str, taken: list[tuple[Door, str, str]]) -> bool:
    return any(
        door == binding.door and other != kind and any(intersection(host, mine) for mine in binding.hosts)
        for door, other, host in taken
    )


def _judged(attachment: Attachment, kept: tuple[Attached, ...], *, had_some: bool) -> Attachment:
    each, accepted, _ = attachment
    if kept or not had_some:
        return each, accepted, kept
    other = "GRPCRoute" if isinstance(each.spec, HttpRoute) else "HTTPRoute"
    message = f"an older {other} has one of its hostnames on that listener; use another name or listener"
    return each, refused("HostnameConflict", message), ()


def _servers(ref: ObjectRef, doors: tuple[Door, ...]) -> Iterator[Made]:
    """One server an HTTP port, for every name: which names there are is said by the VirtualServices. A listener with a
    certificate has a Gateway of its own, so that no other listener's rules are bound to it."""
    servers: list[Json] = []
    places: list[Written] = []
    sources = [ref]
    ports: set[int] = set()
    for door in doors:
        listener = door.listener
        if listener.protocol != "HTTP" or listener.port in ports:
            continue
        ports.add(listener.port)
        sources.append(door.owner)
        places.append(Written((*SPEC, "servers", len(servers)), door.owner, _place(door)))
        port: Json = {"number": listener.port, "name": f"http-{listener.port}", "protocol": "HTTP"}
        servers.append({"port": port, "hosts": ["*"]})
    if servers:
        yield _istio_gateway(ref, derived_gateway_name(ref.name), servers, places, sources)
    for door in doors:
        if door.listener.protocol == "HTTPS":
            yield _own_gateway(ref, door, _gateway_of(ref, door), host_of(door.listener))


def _stream_servers(ref: ObjectRef, door: Door, bindings: list[Binding]) -> Iterator[Made]:
    """A Gateway a listener; where TLS ends, one for each name that routes have, because what is behind TLS no longer
    says its name."""
    for host in _stream_hosts(door, bindings):
        yield _own_gateway(ref, door, _stream_gateway(ref, door, host), host or host_of(door.listener))


def _stream_hosts(door: Door, bindings: list[Binding]) -> tuple[str, ...]:
    if door.listener.protocol == "TCP" or door.is_unopened:
        return ("",)
    return tuple(sorted({host for _, binding in bindings for host in binding.hosts})) or ("",)


def _stream_gateway(ref: ObjectRef, door: Door, host: str) -> str:
    name = _gateway_of(ref, door)
    return f"{name}-{object_name(host)}" if host else name


def _own_gateway(ref: ObjectRef, door: Door, name: str, host: str) -> Made:
    places = [Written((*SPEC, "servers", 0), door.owner, _place(door))]
    return _istio_gateway(ref, name, [_server(door, host)], places, [ref, door.owner])


def _place(door: Door) -> tuple[str | int, ...]:
    return (*SPEC, "listeners", door.index)


def _istio_gateway(
    ref: ObjectRef, name: str, servers: list[Json], places: list[Written], sources: list[ObjectRef]
) -> Made:
    derived = Derived(
        kind="Gateway",
        namespace=ref.namespace,
        name=name,
        spec={"selector": {GATEWAY_NAME_LABEL: ref.name}, "servers": servers},
        sources=tuple(dict.fromkeys(sources)),
        places=tuple(places),
    )
    return Made(derived=derived)


def _label(ref: ObjectRef, door: Door) -> str:
    """A listener's name, with that of the set it is of."""
    if door.owner == ref:
        return door.listener.name
    return f"{door.owner.namespace}.{door.owner.name}.{door.listener.name}"


def _gateway_of(ref: ObjectRef, door: Door) -> str:
    """The derived Gateway that has a listener's server."""
    name = derived_gateway_name(ref.name)
    return name if door.listener.protocol == "HTTP" else f"{name}-{_label(ref, door)}"


def _server(door: Door, host: str) -> dict[str, Json]:
    listener = door.listener
    name = f"{listener.protocol.lower()}-{listener.port}-{listener.name}"
    port: Json = {"number": listener.port, "name": name, "protocol": listener.protocol}
    server: dict[str, Json] = {"port": port, "hosts": [host]}
    if door.is_unopened:
        server["tls"] = {"mode": "PASSTHROUGH"}
    elif listener.tls is not None:
        names: list[Json] = [each.name for each in listener.tls.certificate_refs]
        one = {"credentialName": names[0]} if len(names) == 1 else {"credentialNames": names}
        server["tls"] = {"mode": "SIMPLE", **one}
    return server


def _streams(ref: ObjectRef, door: Door, bindings: list[Binding]) -> Iterator[tuple[Made, Bound]]:
    """A name's connections go by one route: of several the oldest, then by name."""
    taken: set[str] = set()
    listener = door.listener
    for each, binding in sorted(bindings, key=lambda one: (one[0].created, one[0].ref)):
        assert isinstance(each.spec, TlsRoute | TcpRoute)
        for host in binding.hosts:
            found = shares(each.ref, each.spec.rules[0].backend_refs, each.permitted)
            if host in taken or not found:
                continue
            taken.add(host)
            match: dict[str, Json] = {"port": listener.port}
            if door.is_unopened:
                match["sniHosts"] = [host]
            rule: Json = {"match": [match], "route": [goal for _, goal in found]}
            is_named = listener.protocol == "TLS" and not door.is_unopened
            gateway = _stream_gateway(ref, door, host if is_named else "")
            derived = Derived(
                kind="VirtualService",
                namespace=ref.namespace,
                name=f"{ref.name}-{listener.port}-{_label(ref, door)}-{object_name(host)}",
                spec={"hosts": [host], "gateways": [gateway], ("tls" if door.is_unopened else "tcp"): [rule]},
                sources=(each.ref, ref),
                places=(Written(SPEC, each.ref, (*SPEC, "rules", 0)),),
            )
            yield Made(derived=derived), each


def _host(
    ref: ObjectRef, doors: tuple[Door, ...], port: int, host: str, at_port: list[Binding]
) -> tuple[Made | None, list[Bound]]:
    """The rules of one name: of routes bound to the most specific listener for it, under any name that covers it."""
    listeners = sorted(listener_hosts(doors, port), key=lambda each: specificity(each[0]))
    own: Door | None = next((door for name, door in listeners if covers(name, host)), None)
    if own is None:
        return None, []
    found: list[tuple[tuple[object, ...], Ruled]] = []
    served: list[Bound] = []
    seen: set[ObjectRef] = set()
    for each, binding in at_port:
        names = [name for name in binding.hosts if covers(name, host)]
        if binding.door != own or not names or each.ref in seen:
            continue
        seen.add(each.ref)
        served.append(each)
        nearest = min(map(specificity, names))
        place = Place(port=port, is_listener=True, scheme=own.listener.protocol.lower())
        found += [((nearest, *order), rule) for order, rule in each.rules(place)]
    rules = [rule for _, rule in sorted(found, key=lambda one: one[0])]
    sources = tuple(dict.fromkeys([*(rule.draft.source for rule in rules), ref]))
    name = f"{ref.name}-{port}-{object_name(host)}"
    head: dict[str, Json] = {"hosts": [host], "gateways": [_gateway_of(ref, own)]}
    if not rules:
        rules = [Ruled(rank=(), place=(0, 0, 0), draft=_nothing(ref, port), missing=HTTP_ERROR)]
    return virtual_service(ref.namespace, name, head, rules, sources), served


def _nothing(ref: ObjectRef, port: int) -> Draft:
    """A listener without routes for a name must not leave it to a wider listener."""
    draft = Draft(ref)
    draft.value = {"match": [{"port": port}], **NOT_FOUND}
    return draft
