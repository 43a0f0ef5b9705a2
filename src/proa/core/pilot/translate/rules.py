"""Istio's rules into route intents: what a VirtualService means for one port of one host.

A destination that does not exist (no such host, port or subset, or none this client may see) leads to the black
hole, which answers 503, and a Note says so: applying objects in any order must not break a proxy's configuration.
"""

from collections.abc import Iterator

import msgspec
from immutables import Map

from proa.core.config.kinds.virtual_service.claims import claim_path, is_claim
from proa.core.config.kinds.virtual_service.schema import (
    Beyond,
    DerivedRoutes,
    Headers,
    HttpMatch,
    HttpRoute,
    StickySession,
    StringMatch,
)
from proa.core.config.kinds.virtual_service.schema import Destination as Wanted
from proa.core.model.names import ObjectRef, cluster_name, expand_host
from proa.core.model.notes import Note
from proa.core.model.service import ServicePort
from proa.core.pilot.registry.mesh_config import retry_of
from proa.core.pilot.scope.index import MESH_GATEWAY
from proa.core.pilot.scope.views import Destination, Rules, qualified_gateway
from proa.core.pilot.translate.clusters import BLACK_HOLE, PASSTHROUGH
from proa.core.pilot.translate.routes.intents import (
    ClaimMatch,
    DirectResponse,
    FieldMatch,
    Mirror,
    RequestMatch,
    Rewrite,
    RouteIntent,
    Session,
    Target,
)
from proa.core.pilot.translate.rule_actions import (
    authority_of,
    cors_of,
    direct_response_of,
    edits_of,
    fault_of,
    mirrors_of,
    redirect_of,
    rewrite_of,
    text_match,
)
from proa.core.pilot.translate.traffic_policy import target_at


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    routes: tuple[RouteIntent, ...]
    notes: tuple[Note, ...] = ()


def translate_rules(
    rules: Rules, destinations: Map[str, Destination], *, port: int, gateways: frozenset[str]
) -> Translated:
    """The rules that hold on `port` for proxies bound by one of `gateways` (`mesh`, or `namespace/name`), in
    order, up to the first that matches everything: what stands behind that can never be reached."""
    routes: list[RouteIntent] = []
    notes: list[Note] = list(rules.notes)
    for number, rule in enumerate(rules.spec.http):
        matches = tuple(_matches(rules, rule, port, gateways))
        if not matches or number in rules.skipped:
            continue
        translated, found = _route(rules, rule, number, matches, destinations, port)
        routes.append(translated)
        notes += found
        if any(match.takes_all for match in matches):
            break
    return Translated(routes=tuple(routes), notes=tuple(notes))


def _matches(rules: Rules, rule: HttpRoute, port: int, gateways: frozenset[str]) -> Iterator[RequestMatch]:
    bound = rules.spec.gateways or (MESH_GATEWAY,)
    for match in rule.match or (HttpMatch(),):
        names = match.gateways or bound
        full = {
            name if name == MESH_GATEWAY else qualified_gateway(name, rules.ref.namespace) for name in names
        }
        if full & gateways and match.port in (None, port):
            yield _match(match)


def _match(match: HttpMatch) -> RequestMatch:
    pseudo = ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme))
    headers = [FieldMatch(name=name, text=text_match(text)) for name, text in pseudo if text is not None]
    claims: list[ClaimMatch] = []
    for conditions, invert in ((match.headers, False), (match.without_headers, True)):
        for name, text in sorted(conditions.items()):
            if is_claim(name):
                claims.append(_claim(name, text, invert))
            else:
                headers.append(FieldMatch(name=name, text=text_match(text), invert=invert))
    return RequestMatch(
        path=text_match(match.uri) if match.uri is not None else None,
        ignore_case=match.ignore_uri_case,
        headers=tuple(headers),
        query=tuple(
            FieldMatch(name=name, text=text_match(text)) for name, text in sorted(match.query_params.items())
        ),
        claims=tuple(claims),
        stat_prefix=match.stat_prefix,
    )


def _claim(name: str, text: StringMatch, invert: bool) -> ClaimMatch:
    path = claim_path(name)
    assert path is not None, f"{name} was read"
    return ClaimMatch(path=path, text=text_match(text), invert=invert)


def _route(
    rules: Rules,
    rule: HttpRoute,
    number: int,
    matches: tuple[RequestMatch, ...],
    destinations: Map[str, Destination],
    port: int,
) -> tuple[RouteIntent, list[Note]]:
    notes: list[Note] = []
    owner = rules.origin(number).delegate or rules.ref
    targets = tuple(_targets(rules, rule, destinations, port, notes, owner))
    beyond = _beyond(rules, number)
    missing = beyond.missing
    if missing and targets and all(target.cluster == BLACK_HOLE for target in targets):
        return _answered(rules, rule, number, matches, missing), notes
    targets = tuple(
        msgspec.structs.replace(target, answers=missing) if target.cluster == BLACK_HOLE else target
        for target in targets
    )
    guarded = any(target.cluster == PASSTHROUGH or target.is_dynamic for target in targets)
    edits = rule.headers or Headers()
    intent = RouteIntent(
        name=rule.name,
        matches=matches,
        targets=targets,
        redirect=redirect_of(rule, port),
        direct_response=direct_response_of(rule),
        rewrite=rewrite_of(rule),
        timeout_ms=rule.timeout or 0,
        retry=retry_of(rule.retries, rules.retry),
        fault=fault_of(rule),
        mirrors=tuple(_mirrors(rules, rule, destinations, port, notes, owner)),
        cors=cors_of(rule.cors_policy) if rule.cors_policy else None,
        session=_session(beyond.session),
        request_headers=edits_of(edits.request),
        response_headers=edits_of(edits.response),
        guarded=guarded,
        objects=_objects(rules, number),
        rule=str(rules.origin(number)),
    )
    return intent, notes


def _objects(rules: Rules, number: int) -> tuple[ObjectRef, ...]:
    delegate = rules.origin(number).delegate
    return (rules.ref,) if delegate is None else (rules.ref, delegate)


def _beyond(rules: Rules, number: int) -> Beyond:
    spec = rules.spec
    if isinstance(spec, DerivedRoutes) and number < len(spec.beyond_http):
        return spec.beyond_http[number]
    return Beyond()


def rules_at(rules: Rules, port: ServicePort) -> Rules:
    """Without those that are for ports of other names."""
    spec = rules.spec
    if not isinstance(spec, DerivedRoutes):
        return rules
    return msgspec.structs.replace(
        rules,
        skipped=rules.skipped | _of_others(spec.beyond_http, port.name),
        skipped_tls=rules.skipped_tls | _of_others(spec.beyond_tls, port.name),
        skipped_tcp=rules.skipped_tcp | _of_others(spec.beyond_tcp, port.name),
    )


def _of_others(beyond: tuple[Beyond, ...], name: str) -> frozenset[int]:
    return frozenset(number for number, each in enumerate(beyond) if each.port_name not in ("", name))


def _session(said: StickySession | None) -> Session | None:
    if said is None:
        return None
    return Session(cookie=said.cookie, path=said.path, ttl_ms=said.ttl, header=said.header)


def _answered(
    rules: Rules, rule: HttpRoute, number: int, matches: tuple[RequestMatch, ...], status: int
) -> RouteIntent:
    """A rule with nowhere to go."""
    edits = rule.headers or Headers()
    return RouteIntent(
        name=rule.name,
        matches=matches,
        direct_response=DirectResponse(status=status),
        cors=cors_of(rule.cors_policy) if rule.cors_policy else None,
        response_headers=edits_of(edits.response),
        objects=_objects(rules, number),
        rule=str(rules.origin(number)),
    )


def _mirrors(
    rules: Rules,
    rule: HttpRoute,
    destinations: Map[str, Destination],
    port: int,
    notes: list[Note],
    owner: ObjectRef,
) -> Iterator[Mirror]:
    """A mirror without a service is left out: nobody waits for its answer."""
    for wanted, percent in mirrors_of(rule):
        target = resolve_target(wanted, rules.ref.namespace, destinations, port)
        if not isinstance(target, str) and target.is_dynamic:
            target = f"service {wanted.host} has no addresses, and what a copy asks for is not looked up"
        if isinstance(target, str):
            notes.append(Note(code="destination-missing", about=owner, message=target))
        elif percent > 0:
            yield Mirror(cluster=target.cluster, percent=percent)


def _targets(
    rules: Rules,
    rule: HttpRoute,
    destinations: Map[str, Destination],
    port: int,
    notes: list[Note],
    owner: ObjectRef,
) -> Iterator[Target]:
    weighted = [each for each in rule.route if each.weight > 0] or list(rule.route[:1])
    for each in weighted:
        weight = each.weight if len(weighted) > 1 else 1
        target = resolve_target(each.destination, rules.ref.namespace, destinations, port)
        if not isinstance(target, str) and target.is_dynamic:
            wildcard = destinations[expand_host(each.destination.host, rules.ref.namespace)].wildcard
            renamed = rewrite_of(rule) or Rewrite()
            told = authority_of(each.headers.request) if each.headers else ""
            target = _open_relay(rules, wildcard, (renamed.authority, told)) or target
        if isinstance(target, str):
            notes.append(Note(code="destination-missing", about=owner, message=target))
            yield Target(cluster=BLACK_HOLE, weight=weight)
        else:
            edits = each.headers or Headers()
            yield msgspec.structs.replace(
                target,
                weight=weight,
                authority=authority_of(edits.request),
                request_headers=edits_of(edits.request),
                response_headers=edits_of(edits.response),
            )


def _open_relay(rules: Rules, wildcard: str, renamed: tuple[str, ...]) -> str:
    """Why requests of these rules may not be sent where they say themselves; empty when all of them can only ask for
    names below the wildcard. Judged here, where it is known which names a rule is for, and not for each request."""
    if any(renamed):
        return f"below {wildcard} what is asked for is looked up, and cannot be renamed"
    for host in rules.spec.hosts:
        if not is_below(expand_host(host, rules.ref.namespace), wildcard):
            return f"{host} is not below {wildcard}, and nothing else is looked up"
    return ""


def is_below(name: str, wildcard: str) -> bool:
    """Whether a name, or all that a wildcard stands for, is below `*.a.b`."""
    return name == wildcard or name.removeprefix("*").endswith(wildcard[1:])


def resolve_target(
    wanted: Wanted, namespace: str, destinations: Map[str, Destination], port: int
) -> Target | str:
    """The cluster a destination means, or why there is none. Without a port it is the host's only one, else the
    port the client called."""
    host = expand_host(wanted.host, namespace)
    destination = destinations.get(host)
    if destination is None:
        return f"no service {host} is known to this client"
    if destination.by_passthrough:
        return Target(cluster=PASSTHROUGH)
    chosen = _port(destination, wanted.port.number if wanted.port else None, port)
    if chosen is None:
        return f"service {host} has no port {wanted.port.number if wanted.port else port}"
    if wanted.subset and not destination.has_subset(wanted.subset):
        return f"no DestinationRule gives service {host} a subset {wanted.subset}"
    if destination.wildcard:
        return Target(cluster=cluster_name("outbound", chosen.number, "", host), is_dynamic=True)
    return target_at(destination, chosen, wanted.subset, host)


def _port(destination: Destination, wanted: int | None, called: int) -> ServicePort | None:
    if wanted is not None:
        return destination.port(wanted)
    return destination.ports[0] if len(destination.ports) == 1 else destination.port(called)
