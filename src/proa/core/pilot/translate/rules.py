"""Istio's rules into route intents: what a VirtualService means for one port of one host.

A destination that does not exist (no such host, port or subset, or none this client may see) leads to the black
hole, which answers 503, and a Note says so: applying objects in any order must not break a proxy's configuration.
"""

from collections.abc import Iterator

import msgspec
from immutables import Map

from proa.core.config.kinds.virtual_service.schema import (
    HttpMatch,
    HttpRoute,
    HttpRouteDestination,
    StringMatch,
)
from proa.core.config.kinds.virtual_service.schema import Retries as RetrySpec
from proa.core.model.names import expand_host
from proa.core.model.notes import Note
from proa.core.model.service import ServicePort
from proa.core.pilot.scope.index import MESH_GATEWAY
from proa.core.pilot.scope.views import Destination, Rules, qualified_gateway
from proa.core.pilot.translate.clusters import BLACK_HOLE, PASSTHROUGH
from proa.core.pilot.translate.routes.intents import (
    DirectResponse,
    Fault,
    FieldMatch,
    Redirect,
    RequestMatch,
    Retry,
    Rewrite,
    RouteIntent,
    Target,
    TextMatch,
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
    notes: list[Note] = []
    for number, rule in enumerate(rules.spec.http):
        matches = tuple(_matches(rules, rule, port, gateways))
        if not matches or number in rules.skipped:
            continue
        translated, found = _route(rules, rule, f"http[{number}]", matches, destinations, port)
        routes.append(translated)
        notes += found
        if RequestMatch() in matches:
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


def _text(match: StringMatch) -> TextMatch:
    if match.exact is not None:
        return TextMatch(kind="exact", value=match.exact)
    if match.prefix is not None:
        return TextMatch(kind="prefix", value=match.prefix) if match.prefix else TextMatch(kind="present")
    if match.regex is not None:
        return TextMatch(kind="regex", value=match.regex)
    return TextMatch(kind="present")


def _match(match: HttpMatch) -> RequestMatch:
    pseudo = ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme))
    headers = [FieldMatch(name=name, text=_text(text)) for name, text in pseudo if text is not None]
    headers += [FieldMatch(name=name, text=_text(text)) for name, text in sorted(match.headers.items())]
    headers += [
        FieldMatch(name=name, text=_text(text), invert=True)
        for name, text in sorted(match.without_headers.items())
    ]
    return RequestMatch(
        path=_text(match.uri) if match.uri is not None else None,
        ignore_case=match.ignore_uri_case,
        headers=tuple(headers),
        query=tuple(
            FieldMatch(name=name, text=_text(text)) for name, text in sorted(match.query_params.items())
        ),
    )


def _route(
    rules: Rules,
    rule: HttpRoute,
    place: str,
    matches: tuple[RequestMatch, ...],
    destinations: Map[str, Destination],
    port: int,
) -> tuple[RouteIntent, list[Note]]:
    notes: list[Note] = []
    targets = tuple(_targets(rules, rule, destinations, port, notes))
    guarded = any(target.cluster == PASSTHROUGH for target in targets)
    intent = RouteIntent(
        name=rule.name,
        matches=matches,
        targets=targets,
        redirect=_redirect(rule),
        direct_response=_direct_response(rule),
        rewrite=Rewrite(path=rule.rewrite.uri, authority=rule.rewrite.authority) if rule.rewrite else None,
        timeout_ms=rule.timeout or 0,
        retry=build_retry(rule.retries),
        fault=_fault(rule),
        guarded=guarded,
        objects=(rules.ref,),
        rule=place,
    )
    return intent, notes


def _targets(
    rules: Rules,
    rule: HttpRoute,
    destinations: Map[str, Destination],
    port: int,
    notes: list[Note],
) -> Iterator[Target]:
    weighted = [each for each in rule.route if each.weight > 0] or list(rule.route[:1])
    for each in weighted:
        weight = each.weight if len(weighted) > 1 else 1
        target = resolve_target(each, rules.ref.namespace, destinations, port)
        if isinstance(target, str):
            notes.append(Note(code="destination-missing", about=rules.ref, message=target))
            yield Target(cluster=BLACK_HOLE, weight=weight)
        else:
            yield msgspec.structs.replace(target, weight=weight)


def resolve_target(
    route: HttpRouteDestination, namespace: str, destinations: Map[str, Destination], port: int
) -> Target | str:
    """The cluster a destination means, or why there is none. Without a port it is the host's only one, else the
    port the client called."""
    wanted = route.destination
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
    return target_at(destination, chosen, wanted.subset, host)


def _port(destination: Destination, wanted: int | None, called: int) -> ServicePort | None:
    if wanted is not None:
        return destination.port(wanted)
    return destination.ports[0] if len(destination.ports) == 1 else destination.port(called)


def build_retry(retries: RetrySpec | None) -> Retry:
    """None: the mesh's default. A list of conditions may carry bare status codes, as in Istio."""
    if retries is None:
        return Retry()
    words = [word.strip() for word in retries.retry_on.split(",") if word.strip()] or list(Retry().on)
    return Retry(
        attempts=retries.attempts,
        on=tuple(word for word in words if not word.isdigit()),
        status_codes=tuple(int(word) for word in words if word.isdigit()),
        per_try_timeout_ms=retries.per_try_timeout or 0,
    )


def _fault(rule: HttpRoute) -> Fault | None:
    if rule.fault is None or not (rule.fault.delay or rule.fault.abort):
        return None
    delay, abort = rule.fault.delay, rule.fault.abort
    return Fault(
        delay_ms=delay.fixed_delay if delay else 0,
        delay_percent=delay.share if delay else 0.0,
        abort_status=abort.http_status if abort else 0,
        abort_percent=abort.share if abort else 0.0,
    )


def _redirect(rule: HttpRoute) -> Redirect | None:
    if rule.redirect is None:
        return None
    return Redirect(
        path=rule.redirect.uri, authority=rule.redirect.authority, code=rule.redirect.redirect_code or 301
    )


def _direct_response(rule: HttpRoute) -> DirectResponse | None:
    if rule.direct_response is None:
        return None
    body = rule.direct_response.body
    return DirectResponse(status=rule.direct_response.status, body=body.string if body else "")
