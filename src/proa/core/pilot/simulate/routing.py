"""From a connection manager's routes to what one request is to do."""

from collections.abc import Iterator

import msgspec
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.route.v3.route_components_pb2 import (
    FilterConfig,
    RedirectAction,
    Route,
    RouteAction,
    VirtualHost,
    WeightedCluster,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as FilterState
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration

from proa.core.pilot.simulate.filters import Settings
from proa.core.pilot.simulate.matching import find_virtual_host, matches_route, replace_all
from proa.core.pilot.simulate.outcome import Answered, Retries, RouteTaken
from proa.core.pilot.simulate.request import Request
from proa.core.pilot.simulate.resources import objects_of, rule_of, unpack

TCP_CLUSTER = "envoy.tcp_proxy.cluster"
"""Filter state by which a CONNECT route tells the tunnel's stream chain where to go."""

_REDIRECTS = {
    RedirectAction.MOVED_PERMANENTLY: 301,
    RedirectAction.FOUND: 302,
    RedirectAction.SEE_OTHER: 303,
    RedirectAction.TEMPORARY_REDIRECT: 307,
    RedirectAction.PERMANENT_REDIRECT: 308,
}


_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
"""What a redirect to another scheme leaves out of the name."""


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """`cluster` or `answer`, if filters let the request pass whose settings `levels` are, the nearest first.
    `fallback`: for a CONNECT, where a stream that is no HTTP goes."""

    taken: RouteTaken | None
    cluster: str = ""
    answer: Answered | None = None
    fallback: str = ""
    levels: tuple[Settings, ...] = ()
    why: str


def find_route(configuration: RouteConfiguration, request: Request) -> Routed:
    """The first matching route of the best virtual host."""
    host = find_virtual_host(
        configuration.virtual_hosts,
        request.authority,
        ignore_port=configuration.ignore_port_in_host_matching,
    )
    if host is None:
        why = f"no virtual host of routes {configuration.name} has the domain {request.authority}"
        return Routed(taken=None, answer=Answered(status=404, flag="NR"), why=why)
    for index, route in enumerate(host.routes):
        if matches_route(route.match, request):
            return _take(index, configuration.name, host, request)
    why = f"no route of virtual host {host.name} matches {request.method} {request.path}"
    return Routed(taken=None, answer=Answered(status=404, flag="NR"), why=why)


def _take(index: int, configuration: str, host: VirtualHost, request: Request) -> Routed:
    route = host.routes[index]
    objects, rule = objects_of(route.metadata), rule_of(route.metadata)
    taken = RouteTaken(
        configuration=configuration,
        virtual_host=host.name,
        name=route.name,
        index=index,
        objects=objects,
        rule=rule,
        path=request.path,
        authority=request.authority,
        guarded=_is_guarded(route),
    )
    levels: tuple[Settings, ...] = (route.typed_per_filter_config, host.typed_per_filter_config)
    made_from = f" from {objects[0]} {rule}".rstrip() if objects else ""
    why = f"route {route.name or '(unnamed)'} of virtual host {host.name}{made_from}"
    if route.HasField("direct_response"):
        answer = Answered(status=route.direct_response.status, body=_body(route.direct_response.body))
        return Routed(taken=taken, answer=answer, levels=levels, why=why)
    if route.HasField("redirect"):
        answer = _redirect(route.redirect, route.match.prefix, request)
        return Routed(taken=taken, answer=answer, levels=levels, why=why)
    action = route.route
    taken = msgspec.structs.replace(
        taken,
        path=_rewrite(action, route.match.prefix, request.path),
        authority=action.host_rewrite_literal or request.authority,
        mirrors=tuple(mirror.cluster for mirror in action.request_mirror_policies),
        timeout_ms=_millis(action.timeout) if action.HasField("timeout") else 15_000,
        retries=_retries(action),
    )
    chosen = _share_of(action, request.roll)
    if chosen is not None:
        levels = (chosen.typed_per_filter_config, *levels)
        if chosen.host_rewrite_literal:
            taken = msgspec.structs.replace(taken, authority=chosen.host_rewrite_literal)
    cluster = chosen.name if chosen else action.cluster
    return Routed(taken=taken, cluster=cluster, fallback=_fallback(route), levels=levels, why=why)


def _body(source: DataSource) -> str:
    return source.inline_string or source.inline_bytes.decode(errors="replace")


def _share_of(action: RouteAction, roll: float) -> WeightedCluster.ClusterWeight | None:
    """Of several destinations the one that is chosen."""
    if action.HasField("weighted_clusters"):
        clusters = action.weighted_clusters.clusters
        point = int(roll * sum(each.weight.value for each in clusters))
        for each in clusters:
            point -= each.weight.value
            if point < 0:
                return each
    return None


def _is_guarded(route: Route) -> bool:
    """Whether a filter that is off in the chain is switched on for this route."""
    switched = [unpack(packed, FilterConfig) for _, packed in _filters(route)]
    return any(config is not None and not config.disabled for config in switched)


def _fallback(route: Route) -> str:
    for _, packed in _filters(route):
        state = unpack(packed, FilterState)
        for value in state.on_request_headers if state is not None else ():
            if value.object_key == TCP_CLUSTER:
                return value.format_string.text_format_source.inline_string
    return ""


def _filters(route: Route) -> Iterator[tuple[str, AnyMessage]]:
    yield from sorted(route.typed_per_filter_config.items())


def _millis(duration: Duration) -> int:
    return duration.seconds * 1000 + duration.nanos // 1_000_000


def _retries(action: RouteAction) -> Retries | None:
    if not action.HasField("retry_policy"):
        return None
    policy = action.retry_policy
    return Retries(
        attempts=policy.num_retries.value if policy.HasField("num_retries") else 1,
        on=tuple(word for word in policy.retry_on.split(",") if word),
        status_codes=tuple(policy.retriable_status_codes),
        per_try_timeout_ms=_millis(policy.per_try_timeout),
    )


def _rewrite(action: RouteAction, prefix: str, path: str) -> str:
    bare, mark, query = path.partition("?")
    if action.prefix_rewrite:
        bare = action.prefix_rewrite + bare[len(prefix) :]
    elif action.HasField("regex_rewrite"):
        rewrite = action.regex_rewrite
        bare = replace_all(rewrite.pattern.regex, rewrite.substitution, bare)
    return bare + mark + query


def _redirect(redirect: RedirectAction, prefix: str, request: Request) -> Answered:
    scheme = redirect.scheme_redirect or request.scheme
    authority = redirect.host_redirect or request.authority
    if redirect.port_redirect:
        bare = authority if redirect.host_redirect else _without_port(authority)
        authority = f"{bare}:{redirect.port_redirect}"
    elif redirect.scheme_redirect and not redirect.host_redirect:
        called_by = request.header("x-forwarded-proto") or request.scheme
        authority = authority.removesuffix(_DEFAULT_PORTS.get(called_by, ":80"))
    path = redirect.path_redirect or request.path
    if redirect.prefix_rewrite:
        path = redirect.prefix_rewrite + request.path[len(prefix) :]
    elif redirect.path_redirect and "?" in request.path and "?" not in path:
        path += "?" + request.path.partition("?")[2]
    return Answered(status=_REDIRECTS[redirect.response_code], location=f"{scheme}://{authority}{path}")


def _without_port(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


__all__ = ["TCP_CLUSTER", "Routed", "find_route"]
