"""A Gateway with the routes bound to it.

For each HTTP port and host name there is one VirtualService with the rules of all routes that serve the host, the most
specific match first; so a listener's routes never answer for a more specific listener, as the specification wants.
"""

from collections.abc import Iterator

from proa.core.config.gateway_api.attach import (
    Attached,
    Condition,
    attach,
    covers,
    listener_hosts,
    specificity,
    supported_kinds,
)
from proa.core.config.gateway_api.bound import (
    NOT_FOUND,
    Bound,
    Derivation,
    ListenerStanding,
    Made,
    Standing,
    virtual_service,
)
from proa.core.config.gateway_api.gateway_schema import (
    GATEWAY_NAME_LABEL,
    Gateway,
    Listener,
)
from proa.core.config.gateway_api.rules import HTTP_ERROR, Place, Ruled, shares
from proa.core.config.gateway_api.schema import (
    TcpRoute,
    TlsRoute,
)
from proa.core.config.legacy.draft import SPEC, Derived, Draft
from proa.core.config.legacy.draft import Place as Written
from proa.core.config.legacy.services import object_name
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

STREAMS = ("TLS", "TCP")
"""Protocols of listeners whose connections are passed on unopened."""


def derived_gateway_name(name: str) -> str:
    return f"{name}-gateway-api"


def derive_gateway(ref: ObjectRef, spec: Gateway, bound: list[Bound]) -> Derivation:
    attached = [(each, *attach(each.ref, each.hostnames, each.parent, ref, spec)) for each in bound]
    made = list(_servers(ref, spec))
    of_route: dict[tuple[ObjectRef, int], list[ObjectRef]] = {}
    for listener in spec.listeners:
        if listener.protocol in STREAMS:
            bindings = [
                (each, one) for each, _, found in attached for one in found if one.listener is listener
            ]
            for stream, route in _streams(ref, listener, bindings):
                made.append(stream)
                of_route.setdefault((route.ref, route.number), []).append(stream.derived.ref)
    for port in sorted({each.port for each in spec.listeners if each.protocol not in STREAMS}):
        at_port = [
            (each, binding)
            for each, _, bindings in attached
            for binding in bindings
            if binding.listener.port == port
        ]
        hosts = {host for host, _ in listener_hosts(spec, port)}
        hosts |= {host for _, binding in at_port for host in binding.hosts}
        for host in sorted(hosts):
            one, served = _host(ref, spec, port, host, at_port)
            if one is None:
                continue
            made.append(one)
            for each in served:
                of_route.setdefault((each.ref, each.number), []).append(one.derived.ref)
    standings = [
        each.standing(accepted, tuple(of_route.get((each.ref, each.number), ())))
        for each, accepted, _ in attached
    ]
    own = _gateway_standing(ref, spec, attached, tuple(each.derived.ref for each in made))
    return Derivation(made=tuple(made), standings=(own, *standings))


def _gateway_standing(
    ref: ObjectRef,
    spec: Gateway,
    attached: list[tuple[Bound, Condition, tuple[Attached, ...]]],
    made: tuple[ObjectRef, ...],
) -> Standing:
    accepted = Condition(type="Accepted", status=True, reason="Accepted")
    listeners: list[ListenerStanding] = []
    for listener in spec.listeners:
        routes = {each.ref for each, _, bindings in attached for one in bindings if one.listener is listener}
        kinds, resolved = supported_kinds(listener), "ResolvedRefs"
        asked = [each.kind for each in listener.allowed_routes.kinds]
        has_all = all(kind in kinds for kind in asked)
        conditions = (
            accepted,
            Condition(type="Conflicted", status=False, reason="NoConflicts"),
            Condition(type=resolved, status=has_all, reason=resolved if has_all else "InvalidRouteKinds"),
        )
        listeners.append(
            ListenerStanding(name=listener.name, kinds=kinds, routes=len(routes), conditions=conditions)
        )
    return Standing(ref=ref, parent=None, conditions=(accepted,), made=made, listeners=tuple(listeners))


def _servers(ref: ObjectRef, spec: Gateway) -> Iterator[Made]:
    """One server an HTTP port, for every name: which names there are is said by the VirtualServices. A listener with a
    certificate, or of streams, has a Gateway of its own, so that no other listener's rules are bound to it."""
    servers: list[Json] = []
    places: list[Written] = []
    for index, listener in enumerate(spec.listeners):
        if listener.protocol != "HTTP" or listener.port in [
            each.port for each in spec.listeners[:index] if each.protocol == "HTTP"
        ]:
            continue
        places.append(Written((*SPEC, "servers", len(servers)), ref, (*SPEC, "listeners", index)))
        port: Json = {"number": listener.port, "name": f"http-{listener.port}", "protocol": "HTTP"}
        servers.append({"port": port, "hosts": ["*"]})
    if servers:
        yield _istio_gateway(ref, derived_gateway_name(ref.name), servers, places)
    for index, listener in enumerate(spec.listeners):
        if listener.protocol != "HTTP":
            own = [Written((*SPEC, "servers", 0), ref, (*SPEC, "listeners", index))]
            yield _istio_gateway(ref, _gateway_of(ref, listener), [_server(listener)], own)


def _istio_gateway(ref: ObjectRef, name: str, servers: list[Json], places: list[Written]) -> Made:
    derived = Derived(
        kind="Gateway",
        namespace=ref.namespace,
        name=name,
        spec={"selector": {GATEWAY_NAME_LABEL: ref.name}, "servers": servers},
        sources=(ref,),
        places=tuple(places),
    )
    return Made(derived=derived)


def _gateway_of(ref: ObjectRef, listener: Listener) -> str:
    """The derived Gateway that has a listener's server."""
    name = derived_gateway_name(ref.name)
    return name if listener.protocol == "HTTP" else f"{name}-{listener.name}"


def _server(listener: Listener) -> dict[str, Json]:
    name = f"{listener.protocol.lower()}-{listener.port}-{listener.name}"
    port: Json = {"number": listener.port, "name": name, "protocol": listener.protocol}
    server: dict[str, Json] = {"port": port, "hosts": [listener.hostname.lower() or "*"]}
    if listener.protocol == "TLS":
        server["tls"] = {"mode": "PASSTHROUGH"}
    elif listener.tls is not None:
        names: list[Json] = [each.name for each in listener.tls.certificate_refs]
        one = {"credentialName": names[0]} if len(names) == 1 else {"credentialNames": names}
        server["tls"] = {"mode": "SIMPLE", **one}
    return server


def _streams(
    ref: ObjectRef, listener: Listener, bindings: list[tuple[Bound, Attached]]
) -> Iterator[tuple[Made, Bound]]:
    """A name's connections go by one route: of several the oldest, then by name."""
    taken: set[str] = set()
    for each, binding in sorted(bindings, key=lambda one: (one[0].created, one[0].ref)):
        assert isinstance(each.spec, TlsRoute | TcpRoute)
        for host in binding.hosts:
            found = shares(each.ref, each.spec.rules[0].backend_refs, each.permitted)
            if host in taken or not found:
                continue
            taken.add(host)
            match: dict[str, Json] = {"port": listener.port}
            if listener.protocol == "TLS":
                match["sniHosts"] = [host]
            rule: Json = {"match": [match], "route": [goal for _, goal in found]}
            derived = Derived(
                kind="VirtualService",
                namespace=ref.namespace,
                name=f"{ref.name}-{listener.port}-{listener.name}-{object_name(host)}",
                spec={
                    "hosts": [host],
                    "gateways": [_gateway_of(ref, listener)],
                    listener.protocol.lower(): [rule],
                },
                sources=(each.ref, ref),
                places=(Written(SPEC, each.ref, (*SPEC, "rules", 0)),),
            )
            yield Made(derived=derived), each


def _host(
    ref: ObjectRef, spec: Gateway, port: int, host: str, at_port: list[tuple[Bound, Attached]]
) -> tuple[Made | None, list[Bound]]:
    """The rules of one name: of routes bound to the most specific listener for it, under any name that covers it."""
    listeners = sorted(listener_hosts(spec, port), key=lambda each: specificity(each[0]))
    own: Listener | None = next((listener for name, listener in listeners if covers(name, host)), None)
    if own is None:
        return None, []
    found: list[tuple[tuple[object, ...], Ruled]] = []
    served: list[Bound] = []
    seen: set[ObjectRef] = set()
    for each, binding in at_port:
        names = [name for name in binding.hosts if covers(name, host)]
        if binding.listener is not own or not names or each.ref in seen:
            continue
        seen.add(each.ref)
        served.append(each)
        nearest = min(map(specificity, names))
        place = Place(port=port, is_listener=True, scheme=own.protocol.lower())
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
