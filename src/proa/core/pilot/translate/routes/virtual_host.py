"""One virtual host, and route configurations put together from virtual hosts' bytes.

A route configuration of a large scope holds hundreds of hosts and one of them changes at a time. So each host is
serialised once as a piece of the configuration (a repeated field may be concatenated), and the whole is a join.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    FilterConfig,
    HeaderMatcher,
    RedirectAction,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay
from envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.type.matcher.v3.regex_pb2 import RegexMatchAndSubstitute, RegexMatcher
from envoy.type.v3.percent_pb2 import FractionalPercent
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from proa.core.model.digest import digest_bytes
from proa.core.model.names import ObjectRef
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import millis, pack, provenance, uint32
from proa.core.pilot.translate.filters import filter_state
from proa.core.pilot.translate.filters.names import (
    APP_REFUSED_HEADER,
    EGRESS_GUARD,
    FAULT,
    FILTER_STATE,
    FORWARD_PROXY,
)
from proa.core.pilot.translate.routes.hashing import hash_policy
from proa.core.pilot.translate.routes.intents import (
    Connect,
    Fault,
    Retry,
    RouteIntent,
    Target,
    VirtualHostIntent,
)
from proa.core.pilot.translate.routes.match import build_match

HOST_SELECTION_ATTEMPTS: Final = 5
"""How often a retry may pick a host again before it takes one already tried (Istio's figure)."""


class VirtualHostPart(msgspec.Struct, frozen=True, kw_only=True):
    """`piece` is the host as a field of a RouteConfiguration, ready to be concatenated."""

    name: str
    piece: bytes
    objects: tuple[ObjectRef, ...]


def build_virtual_host(intent: VirtualHostIntent) -> VirtualHostPart:
    routes = [*_connect_routes(intent), *(route for rule in intent.routes for route in _build_rule(rule))]
    host = VirtualHost(
        name=intent.name, domains=intent.domains, routes=routes, metadata=provenance(intent.objects)
    )
    piece = RouteConfiguration(virtual_hosts=[host]).SerializeToString(deterministic=True)
    return VirtualHostPart(name=intent.name, piece=piece, objects=intent.objects)


def build_route_configuration(name: str, parts: Iterable[VirtualHostPart]) -> Resource:
    ordered = sorted(parts, key=lambda part: part.name)
    head = RouteConfiguration(name=name, response_headers_to_remove=[APP_REFUSED_HEADER])
    value = head.SerializeToString(deterministic=True) + b"".join(part.piece for part in ordered)
    body = AnyMessage(type_url=ResourceType.ROUTE.url, value=value).SerializeToString(deterministic=True)
    objects = sorted({ref for part in ordered for ref in part.objects})
    return Resource(
        type=ResourceType.ROUTE, name=name, body=body, digest=digest_bytes(body), objects=tuple(objects)
    )


def _connect_routes(intent: VirtualHostIntent) -> list[Route]:
    connect = intent.connect
    if connect is None:
        return []
    route = Route(
        name="connect",
        match=RouteMatch(connect_matcher=RouteMatch.ConnectMatcher()),
        metadata=provenance(intent.objects),
    )
    if connect.refusal:
        route.direct_response.CopyFrom(DirectResponseAction(status=connect.refusal))
        return [route]
    route.route.CopyFrom(_tunnel(connect))
    if connect.tunnel:
        config: Message = filter_state.fall_back_to(connect.fallback)
        route.typed_per_filter_config[FILTER_STATE].CopyFrom(pack(config))
    else:
        _guard(route)
    return [route]


def _tunnel(connect: Connect) -> RouteAction:
    return RouteAction(
        cluster=connect.tunnel or connect.guarded,
        timeout=millis(0),
        upgrade_configs=[
            RouteAction.UpgradeConfig(
                upgrade_type="CONNECT", connect_config=RouteAction.UpgradeConfig.ConnectConfig()
            )
        ],
    )


def _guard(route: Route) -> None:
    """Out of the mesh: by the forward proxy, under the guard's eyes."""
    for name in (FORWARD_PROXY, EGRESS_GUARD):
        route.typed_per_filter_config[name].CopyFrom(_switched_on())


def _switched_on() -> AnyMessage:
    """A filter that is disabled in the chain runs on routes that say so; an absent guard fails the request."""
    return pack(FilterConfig(config=AnyMessage()))


def _build_rule(rule: RouteIntent) -> list[Route]:
    routes = []
    for match in rule.matches:
        route = Route(
            name=rule.name, match=build_match(match), metadata=provenance(rule.objects[:1], rule.rule)
        )
        _act(route, rule, prefix=match.path.value if match.path and match.path.kind == "prefix" else "")
        if rule.fault is not None:
            route.typed_per_filter_config[FAULT].CopyFrom(pack(_fault(rule.fault)))
        if rule.guarded:
            _guard(route)
        routes.append(route)
    return routes


def _act(route: Route, rule: RouteIntent, prefix: str) -> None:
    if rule.direct_response is not None:
        answer = DirectResponseAction(status=rule.direct_response.status)
        if rule.direct_response.body:
            answer.body.inline_string = rule.direct_response.body
        route.direct_response.CopyFrom(answer)
    elif rule.redirect is not None:
        redirect = rule.redirect
        route.redirect.CopyFrom(
            RedirectAction(
                scheme_redirect=redirect.scheme,
                host_redirect=redirect.authority,
                path_redirect=redirect.path,
                response_code=_REDIRECT_CODES[redirect.code],
            )
        )
    else:
        route.route.CopyFrom(_forward(rule, prefix))
        if len(rule.targets) == 1 and rule.targets[0].follows_client:
            route.typed_per_filter_config[FILTER_STATE].CopyFrom(pack(filter_state.follow_client()))


_REDIRECT_CODES: Final = {
    301: RedirectAction.MOVED_PERMANENTLY,
    302: RedirectAction.FOUND,
    303: RedirectAction.SEE_OTHER,
    307: RedirectAction.TEMPORARY_REDIRECT,
    308: RedirectAction.PERMANENT_REDIRECT,
}


def _forward(rule: RouteIntent, prefix: str) -> RouteAction:
    # As in Istio a rule with a fault has no timeout and no retry: the fault is what the user wants to see.
    faulty = rule.fault is not None
    timeout = 0 if faulty else rule.timeout_ms
    action = RouteAction(timeout=millis(timeout))
    if timeout:
        action.max_stream_duration.grpc_timeout_header_max.CopyFrom(millis(timeout))
    keys = tuple(dict.fromkeys(target.hash_key for target in rule.targets if target.hash_key is not None))
    action.hash_policy.extend(hash_policy(key) for key in keys)
    if not faulty and rule.retry.attempts:
        action.retry_policy.CopyFrom(_retry(rule.retry, is_sticky=bool(keys)))
    if rule.rewrite is not None:
        _rewrite(action, rule.rewrite.path, rule.rewrite.authority, prefix)
    if len(rule.targets) == 1:
        action.cluster = rule.targets[0].cluster
    else:
        action.weighted_clusters.CopyFrom(
            WeightedCluster(clusters=[_weighted(target) for target in rule.targets])
        )
    return action


def _rewrite(action: RouteAction, path: str, authority: str, prefix: str) -> None:
    if authority:
        action.host_rewrite_literal = authority
    if path and prefix:
        action.prefix_rewrite = path
    elif path:
        action.regex_rewrite.CopyFrom(
            RegexMatchAndSubstitute(pattern=RegexMatcher(regex=".*"), substitution=path.replace("\\", "\\\\"))
        )


def _weighted(target: Target) -> WeightedCluster.ClusterWeight:
    weighted = WeightedCluster.ClusterWeight(name=target.cluster, weight=uint32(target.weight))
    if target.follows_client:
        weighted.typed_per_filter_config[FILTER_STATE].CopyFrom(pack(filter_state.follow_client()))
    return weighted


@lru_cache(maxsize=1024)
def _retry(retry: Retry, *, is_sticky: bool) -> RetryPolicy:
    """A sticky request stays where it belongs, as in Istio; any other goes to a host that has not failed it yet.

    A mesh has a handful of these and a hundred thousand routes; to build one anew was a quarter of a route's cost (B8).
    Callers copy it."""
    conditions = [*retry.on, "retriable-headers"]
    if retry.status_codes:
        conditions.append("retriable-status-codes")
    policy = RetryPolicy(
        retry_on=",".join(dict.fromkeys(conditions)),
        num_retries=uint32(retry.attempts),
        retriable_status_codes=retry.status_codes,
        retriable_headers=[HeaderMatcher(name=APP_REFUSED_HEADER, present_match=True)],
    )
    if not is_sticky:
        policy.retry_host_predicate.add(
            name="envoy.retry_host_predicates.previous_hosts", typed_config=pack(PreviousHostsPredicate())
        )
        policy.host_selection_retry_max_attempts = HOST_SELECTION_ATTEMPTS
    if retry.per_try_timeout_ms:
        policy.per_try_timeout.CopyFrom(millis(retry.per_try_timeout_ms))
    return policy


def _percent(percent: float) -> FractionalPercent:
    return FractionalPercent(numerator=round(percent * 10_000), denominator=FractionalPercent.MILLION)


def _fault(fault: Fault) -> HTTPFault:
    message = HTTPFault()
    if fault.delay_ms:
        message.delay.CopyFrom(
            FaultDelay(fixed_delay=millis(fault.delay_ms), percentage=_percent(fault.delay_percent))
        )
    if fault.abort_status:
        message.abort.CopyFrom(
            FaultAbort(http_status=fault.abort_status, percentage=_percent(fault.abort_percent))
        )
    return message


__all__ = ["VirtualHostPart", "build_route_configuration", "build_virtual_host"]
