"""One match of an HTTPRoute's or GRPCRoute's rule as rules of a VirtualService, and which match comes first.

A VirtualService obeys the order in which its rules are written, Gateway API the most specific match over all routes of
a host. So each match becomes rules of its own, with a rank to order them by.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from proa.core.config.durations import duration_text
from proa.core.config.gateway_api.backends import Permitted, destination, shares
from proa.core.config.gateway_api.filters import cors, header_edits, redirect, rewrite
from proa.core.config.gateway_api.schema import (
    BackendRef,
    Filter,
    GrpcMatch,
    GrpcRoute,
    GrpcRule,
    HttpMatch,
    HttpRoute,
    HttpRule,
    PathMatch,
    ValueMatch,
)
from proa.core.config.gateway_api.sessions import sticky
from proa.core.config.kinds.virtual_service.schema import StickySession
from proa.core.config.legacy.draft import SPEC, Draft
from proa.core.config.path import Path
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

HTTP_ERROR, GRPC_ERROR = 500, 503
"""What is answered for a backend that is not there. To a gRPC client 503 reads as UNAVAILABLE."""
TRIES = 2
"""Retries where a route does not say how many: as many as the mesh's default has."""
FAILED_CONNECTIONS = "connect-failure,refused-stream,reset"
MESH_DEFAULT = "connect-failure,refused-stream,unavailable,cancelled"
Route: TypeAlias = HttpRoute | GrpcRoute


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where rules hold. `port` (of a listener or a service; None: all) goes into their match, `port_name` (of a
    service) beside them; `namespace`: only of clients there; `is_listener` tells what the port is of; `scheme` is what
    requests come with."""

    port: int | None = None
    port_name: str = ""
    namespace: str = ""
    is_listener: bool = False
    scheme: str = "http"


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of a VirtualService: `rank` orders those of one host over all routes, `place` those of one route (its
    rule, its match, its variant); `missing` is answered when a backend is not there; `session` and `port_name` as in
    Beyond."""

    rank: tuple[int, ...]
    place: tuple[int, int, int]
    draft: Draft
    missing: int
    session: StickySession | None = None
    port_name: str = ""


def ruled(ref: ObjectRef, route: Route, place: Place, permitted: Permitted) -> Iterator[Ruled]:
    """All rules of a route; unordered. `permitted` decides which backends it may name."""
    if isinstance(route, HttpRoute):
        for index, rule in enumerate(route.rules):
            session = sticky(ref, index, rule)
            for number, match in enumerate(rule.matches or (HttpMatch(),)):
                for variant, prefix in enumerate(_variants(match.path)):
                    draft, at = Draft(ref), (*SPEC, "rules", index)
                    _match_http(draft, match, prefix, place, (*at, "matches", number))
                    _act(draft, ref, rule, at, prefix, place, permitted)
                    where = (index, number, variant)
                    yield Ruled(
                        rank=_http_rank(match),
                        place=where,
                        draft=draft,
                        missing=HTTP_ERROR,
                        session=session,
                        port_name=place.port_name,
                    )
    else:
        for index, grpc in enumerate(route.rules):
            session = sticky(ref, index, grpc)
            for number, wanted in enumerate(grpc.matches or (GrpcMatch(),)):
                draft, at = Draft(ref), (*SPEC, "rules", index)
                _match_grpc(draft, wanted, place, (*at, "matches", number))
                _act(draft, ref, grpc, at, None, place, permitted)
                where = (index, number, 0)
                yield Ruled(
                    rank=_grpc_rank(wanted),
                    place=where,
                    draft=draft,
                    missing=GRPC_ERROR,
                    session=session,
                    port_name=place.port_name,
                )


# -- what is matched --


def _variants(path: PathMatch) -> list[str | None]:
    """A prefix of whole segments is two rules: exactly this path (None), and all that begins with it and a slash."""
    if path.type != "PathPrefix":
        return [None]
    stem = path.value.rstrip("/")
    return [None, f"{stem}/"] if stem else ["/"]


def _http_rank(match: HttpMatch) -> tuple[int, ...]:
    """The specification's order: exact paths, then the longest prefix, a method, more headers, more parameters. A
    regular expression stands between the exact and the prefixes, the longer one first."""
    kind = ("Exact", "RegularExpression", "PathPrefix").index(match.path.type)
    length = len(match.path.value.rstrip("/") if match.path.type == "PathPrefix" else match.path.value)
    return (kind, -length, int(match.method is None), -len(match.headers), -len(match.query_params))


def _grpc_rank(match: GrpcMatch) -> tuple[int, ...]:
    """The longer service, then the longer method, then more headers. An exact name is before a pattern."""
    method = match.method
    if method is None:
        return (2, 0, 0, -len(match.headers), 0)
    kind = 0 if method.type == "Exact" else 1
    return (kind, -len(method.service), -len(method.method), -len(match.headers), 0)


def _match_http(draft: Draft, match: HttpMatch, prefix: str | None, place: Place, old: Path) -> None:
    value = _where(place)
    path = match.path
    if path.type == "RegularExpression":
        value["uri"] = {"regex": path.value}
    elif path.type == "Exact":
        value["uri"] = {"exact": path.value}
    elif prefix is None:
        value["uri"] = {"exact": path.value.rstrip("/")}
    else:
        value["uri"] = {"prefix": prefix}
    if match.method is not None:
        value["method"] = {"exact": match.method}
    at: Path = ("match", 0)
    draft.note(at, old)
    draft.note((*at, "uri"), (*old, "path", "value"))
    for name, fields, ours in (
        ("headers", match.headers, "headers"),
        ("queryParams", match.query_params, "queryParams"),
    ):
        if fields:
            value[ours] = _values(draft, fields, (*at, ours), (*old, name), lower=ours == "headers")
    _put_match(draft, value)


def _match_grpc(draft: Draft, match: GrpcMatch, place: Place, old: Path) -> None:
    value = _where(place)
    at: Path = ("match", 0)
    draft.note(at, old)
    method = match.method
    if method is not None:
        draft.note((*at, "uri"), (*old, "method"))
        if method.type == "RegularExpression":
            service, name = method.service or "[^/]+", method.method or "[^/]+"
            value["uri"] = {"regex": f"/{service}/{name}"}
        elif method.service and method.method:
            value["uri"] = {"exact": f"/{method.service}/{method.method}"}
        elif method.service:
            value["uri"] = {"prefix": f"/{method.service}/"}
        else:
            value["uri"] = {"regex": f"/[^/]+/{re.escape(method.method)}"}
    if match.headers:
        value["headers"] = _values(draft, match.headers, (*at, "headers"), (*old, "headers"), lower=True)
    _put_match(draft, value)


def _where(place: Place) -> dict[str, Json]:
    value: dict[str, Json] = {}
    if place.port is not None:
        value["port"] = place.port
    if place.namespace:
        value["sourceNamespace"] = place.namespace
    return value


def _put_match(draft: Draft, value: dict[str, Json]) -> None:
    if value:
        draft.value["match"] = [value]


def _values(
    draft: Draft, fields: Iterable[ValueMatch], at: Path, old: Path, *, lower: bool
) -> dict[str, Json]:
    """By name. Of several on one name the first counts; names of headers are told apart without their case."""
    found: dict[str, Json] = {}
    for index, each in enumerate(fields):
        name = each.name.lower() if lower else each.name
        if name not in found:
            found[name] = {"exact" if each.type == "Exact" else "regex": each.value}
            draft.note((*at, name), (*old, index, "value"))
    return found


# -- what is done --


def _act(
    draft: Draft,
    ref: ObjectRef,
    rule: HttpRule | GrpcRule,
    old: Path,
    prefix: str | None,
    place: Place,
    permitted: Permitted,
) -> None:
    draft.note((), old)
    if rule.name:
        draft.value["name"] = f"{ref.namespace}.{ref.name}.{rule.name}"
    if edits := header_edits(rule.filters):
        draft.put(("headers",), edits, (*old, "filters"))
    mirrors: list[Json] = []
    for each in rule.filters:
        if each.request_mirror is not None:
            backend = each.request_mirror.backend_ref
            if permitted(backend):
                share: Json = {"value": each.request_mirror.share}
                mirrors.append({"destination": destination(backend, ref.namespace), "percentage": share})
        if each.cors is not None:
            draft.value["corsPolicy"] = cors(each.cors)
    if isinstance(rule, HttpRule):
        redirects = [each.request_redirect for each in rule.filters if each.request_redirect]
        if redirects:
            port = place.port if place.is_listener else None
            draft.value["redirect"] = redirect(redirects[0], prefix, port, place.scheme)
            return
        _rewrite(draft, rule.filters, prefix)
        _patience(draft, rule)
    if mirrors:
        draft.value["mirrors"] = mirrors
    _route(draft, ref, rule, permitted)


def _rewrite(draft: Draft, filters: Iterable[Filter], prefix: str | None) -> None:
    for each in filters:
        if each.url_rewrite is not None:
            value = rewrite(each.url_rewrite.path, each.url_rewrite.hostname, prefix)
            if value:
                draft.value["rewrite"] = value


def _patience(draft: Draft, rule: HttpRule) -> None:
    timeouts, retry = rule.timeouts, rule.retry
    if timeouts is not None and timeouts.request:
        draft.value["timeout"] = duration_text(timeouts.request)
    per_try = timeouts.backend_request if timeouts is not None else None
    if retry is None and not per_try:
        return
    value: dict[str, Json] = {"attempts": TRIES, "retryOn": MESH_DEFAULT}
    if retry is not None:
        value["attempts"] = TRIES if retry.attempts is None else retry.attempts
        value["retryOn"] = ",".join((FAILED_CONNECTIONS, *map(str, retry.codes)))
        if retry.backoff:
            value["backoff"] = duration_text(retry.backoff)
    if per_try:
        value["perTryTimeout"] = duration_text(per_try)
    draft.value["retries"] = value


def _route(draft: Draft, ref: ObjectRef, rule: HttpRule | GrpcRule, permitted: Permitted) -> None:
    """Without anywhere to go a request is answered with an error, whatever else the rule says."""
    found = shares(ref, rule.backend_refs, permitted)
    if not found:
        for name in ("mirrors", "rewrite", "timeout", "retries"):
            draft.value.pop(name, None)
        status = HTTP_ERROR if isinstance(rule, HttpRule) else GRPC_ERROR
        draft.value["directResponse"] = {"status": status}
        return
    targets: list[Json] = []
    for each, goal in found:
        if isinstance(each, BackendRef) and (edits := header_edits(each.filters)):
            goal["headers"] = edits
        targets.append(goal)
    draft.value["route"] = targets
