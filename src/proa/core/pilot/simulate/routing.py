"""From a connection manager's routes to what one request is to do."""

from collections.abc import Iterator, Mapping

import msgspec
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.route.v3.route_components_pb2 import (
    FilterConfig,
    RedirectAction,
    Route,
    RouteAction,
    WeightedCluster,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as FilterState
from envoy.type.v3.percent_pb2 import FractionalPercent
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration

from proa.core.pilot.simulate.matching import find_virtual_host, matches_route, replace_all
from proa.core.pilot.simulate.outcome import Answered, FaultTaken, Retries, RouteTaken
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
_DENOMINATORS = {
    FractionalPercent.HUNDRED: 100,
    FractionalPercent.TEN_THOUSAND: 10_000,
    FractionalPercent.MILLION: 1_000_000,
}


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """`cluster` or `answer`. `fallback`: for a CONNECT, where a stream that is no HTTP goes."""

    taken: RouteTaken | None
    cluster: str = ""
    answer: Answered | None = None
    fallback: str = ""
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
        return Routed(taken=None, answer=Answered(status=404), why=why)
    for route in host.routes:
        if matches_route(route.match, request):
            return _take(route, configuration.name, host.name, request)
    why = f"no route of virtual host {host.name} matches {request.method} {request.path}"
    return Routed(taken=None, answer=Answered(status=404), why=why)


def _take(route: Route, configuration: str, host: str, request: Request) -> Routed:
    objects, rule = objects_of(route.metadata), rule_of(route.metadata)
    fault = _fault(route, request.roll)
    taken = RouteTaken(
        configuration=configuration,
        virtual_host=host,
        name=route.name,
        objects=objects,
        rule=rule,
        path=request.path,
        authority=request.authority,
        fault=fault,
        guarded=_is_guarded(route),
    )
    made_from = f" from {objects[0]} {rule}".rstrip() if objects else ""
    why = f"route {route.name or '(unnamed)'} of virtual host {host}{made_from}"
    if route.HasField("direct_response"):
        answer = Answered(status=route.direct_response.status, body=_body(route.direct_response.body))
        return Routed(taken=taken, answer=answer, why=why)
    if route.HasField("redirect"):
        return Routed(taken=taken, answer=_redirect(route.redirect, route.match.prefix, request), why=why)
    action = route.route
    retries = _retries(action)
    taken = msgspec.structs.replace(
        taken,
        path=_rewrite(action, route.match.prefix, request.path),
        authority=action.host_rewrite_literal or request.authority,
        mirrors=tuple(mirror.cluster for mirror in action.request_mirror_policies),
        timeout_ms=_millis(action.timeout) if action.HasField("timeout") else 15_000,
        retries=retries,
    )
    if fault is not None and (fault.abort_status or fault.abort_grpc is not None):
        # A gRPC status travels in a header of an answer that is well as far as HTTP goes.
        status, body = (fault.abort_status, "fault filter abort") if fault.abort_status else (200, "")
        return Routed(taken=taken, answer=Answered(status=status, body=body), why=why)
    share = _share_of(action, request.roll)
    refused = _fault_of(share.typed_per_filter_config, request.roll) if share else None
    if share is not None and refused is not None and refused.abort_status:
        answer = Answered(status=refused.abort_status, body="fault filter abort", cluster=share.name)
        return Routed(taken=taken, answer=answer, why=f"{why}, whose share of {share.name} is refused")
    cluster = share.name if share else action.cluster
    return Routed(taken=taken, cluster=cluster, fallback=_fallback(route), why=why)


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


def _fault(route: Route, roll: float) -> FaultTaken | None:
    return _fault_of(route.typed_per_filter_config, roll)


def _fault_of(filters: Mapping[str, AnyMessage], roll: float) -> FaultTaken | None:
    for _, packed in sorted(filters.items()):
        fault = unpack(packed, HTTPFault)
        if fault is None:
            continue
        delayed = fault.HasField("delay") and roll < _share(fault.delay.percentage)
        aborted = fault.HasField("abort") and roll < _share(fault.abort.percentage)
        return FaultTaken(
            delay_ms=_millis(fault.delay.fixed_delay) if delayed else 0,
            abort_status=fault.abort.http_status if aborted else 0,
            abort_grpc=fault.abort.grpc_status if aborted and fault.abort.HasField("grpc_status") else None,
        )
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


def _share(percent: FractionalPercent) -> float:
    return percent.numerator / _DENOMINATORS[percent.denominator]


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
        authority = authority.removesuffix(":80")
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
