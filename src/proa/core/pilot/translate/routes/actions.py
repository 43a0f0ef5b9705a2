"""What a route does with the requests it matches: answer, redirect, or forward, with retries, rewrites and copies."""

from functools import lru_cache
from typing import Final

from envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    RedirectAction,
    RetryPolicy,
    Route,
    RouteAction,
    WeightedCluster,
)
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.retry.priority.previous_priorities.v3.previous_priorities_config_pb2 import (
    PreviousPrioritiesConfig,
)
from envoy.type.matcher.v3.regex_pb2 import RegexMatchAndSubstitute, RegexMatcher
from google.protobuf.wrappers_pb2 import BoolValue

from proa.core.model.settings import Retry
from proa.core.pilot.translate.encode import millis, pack, uint32
from proa.core.pilot.translate.filters import filter_state
from proa.core.pilot.translate.filters.names import APP_REFUSED_HEADER, FAULT, FILTER_STATE
from proa.core.pilot.translate.routes.faults import build_fault, fraction
from proa.core.pilot.translate.routes.hashing import hash_policy
from proa.core.pilot.translate.routes.header_edits import edit_headers
from proa.core.pilot.translate.routes.intents import (
    DirectResponse,
    Fault,
    Mirror,
    Redirect,
    Rewrite,
    RouteIntent,
    Target,
)

HOST_SELECTION_ATTEMPTS: Final = 5
"""How often a retry may pick a host again before it takes one already tried (Istio's figure)."""
OTHER_LOCALITIES_AFTER: Final = 2
"""Tries after which a retry may leave the locality (Istio's figure)."""

_REDIRECT_CODES: Final = {
    301: RedirectAction.MOVED_PERMANENTLY,
    302: RedirectAction.FOUND,
    303: RedirectAction.SEE_OTHER,
    307: RedirectAction.TEMPORARY_REDIRECT,
    308: RedirectAction.PERMANENT_REDIRECT,
}


def act(route: Route, rule: RouteIntent, prefix: str) -> None:
    """`prefix` is what the path has to begin with, if that is what it matched by."""
    edit_headers(route, rule.request_headers, rule.response_headers)
    if rule.direct_response is not None:
        route.direct_response.CopyFrom(_answer(rule.direct_response))
    elif rule.redirect is not None:
        route.redirect.CopyFrom(_redirect(rule.redirect))
    else:
        route.route.CopyFrom(_forward(rule, prefix))
        if len(rule.targets) == 1:
            (only,) = rule.targets
            edit_headers(route, only.request_headers, only.response_headers)
            if only.follows_client:
                route.typed_per_filter_config[FILTER_STATE].CopyFrom(pack(filter_state.follow_client()))


def _answer(response: DirectResponse) -> DirectResponseAction:
    answer = DirectResponseAction(status=response.status)
    if response.content:
        answer.body.inline_bytes = response.content
    elif response.body:
        answer.body.inline_string = response.body
    return answer


def _redirect(redirect: Redirect) -> RedirectAction:
    action = RedirectAction(
        scheme_redirect=redirect.scheme,
        host_redirect=redirect.authority,
        port_redirect=redirect.port,
        response_code=_REDIRECT_CODES[redirect.code],
    )
    if redirect.prefix:
        action.prefix_rewrite = redirect.prefix
    else:
        action.path_redirect = redirect.path
    return action


def _forward(rule: RouteIntent, prefix: str) -> RouteAction:
    # As in Istio a rule with a fault has no timeout and no retry: the fault is what the user wants to see.
    faulty = rule.fault is not None
    timeout = 0 if faulty else rule.timeout_ms
    action = RouteAction(timeout=millis(timeout))
    if timeout:
        if rule.without_proxy:
            action.max_stream_duration.max_stream_duration.CopyFrom(millis(timeout))
        else:
            # Deprecated, and as in Istio: an Envoy that sees `max_stream_duration` ignores the route's timeout.
            action.max_grpc_timeout.CopyFrom(millis(timeout))
    keys = tuple(dict.fromkeys(target.hash_key for target in rule.targets if target.hash_key is not None))
    action.hash_policy.extend(hash_policy(key) for key in keys)
    if not faulty and rule.retry.attempts:
        action.retry_policy.CopyFrom(_retry(rule.retry, is_sticky=bool(keys)))
    if rule.rewrite is not None:
        _rewrite(action, rule.rewrite, prefix)
    action.request_mirror_policies.extend(_mirror(mirror) for mirror in rule.mirrors)
    if len(rule.targets) == 1:
        action.cluster = rule.targets[0].cluster
        if rule.targets[0].authority:
            action.host_rewrite_literal = rule.targets[0].authority
    else:
        action.weighted_clusters.CopyFrom(
            WeightedCluster(clusters=[_weighted(target) for target in rule.targets])
        )
    return action


def _rewrite(action: RouteAction, rewrite: Rewrite, prefix: str) -> None:
    if rewrite.authority:
        action.host_rewrite_literal = rewrite.authority
    if rewrite.pattern:
        action.regex_rewrite.CopyFrom(_substitute(rewrite.pattern, rewrite.substitution))
    elif rewrite.path and prefix:
        action.prefix_rewrite = rewrite.path
    elif rewrite.path:
        action.regex_rewrite.CopyFrom(_substitute(".*", rewrite.path.replace("\\", "\\\\")))


def _substitute(pattern: str, substitution: str) -> RegexMatchAndSubstitute:
    return RegexMatchAndSubstitute(pattern=RegexMatcher(regex=pattern), substitution=substitution)


def _mirror(mirror: Mirror) -> RouteAction.RequestMirrorPolicy:
    """The copy keeps its host, as in Istio: Envoy would append `-shadow`."""
    return RouteAction.RequestMirrorPolicy(
        cluster=mirror.cluster,
        runtime_fraction=RuntimeFractionalPercent(default_value=fraction(mirror.percent)),
        trace_sampled=BoolValue(value=False),
        disable_shadow_host_suffix_append=True,
    )


def _weighted(target: Target) -> WeightedCluster.ClusterWeight:
    weighted = WeightedCluster.ClusterWeight(name=target.cluster, weight=uint32(target.weight))
    if target.authority:
        weighted.host_rewrite_literal = target.authority
    edit_headers(weighted, target.request_headers, target.response_headers)
    if target.answers:
        fault = Fault(abort_status=target.answers, abort_percent=100.0)
        weighted.typed_per_filter_config[FAULT].CopyFrom(pack(build_fault(fault)))
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
    passes_over = not is_sticky if retry.pass_over_tried is None else retry.pass_over_tried
    if passes_over:
        policy.retry_host_predicate.add(
            name="envoy.retry_host_predicates.previous_hosts", typed_config=pack(PreviousHostsPredicate())
        )
        policy.host_selection_retry_max_attempts = HOST_SELECTION_ATTEMPTS
    if retry.other_localities:
        policy.retry_priority.name = "envoy.retry_priorities.previous_priorities"
        policy.retry_priority.typed_config.CopyFrom(
            pack(PreviousPrioritiesConfig(update_frequency=OTHER_LOCALITIES_AFTER))
        )
    if retry.per_try_timeout_ms:
        policy.per_try_timeout.CopyFrom(millis(retry.per_try_timeout_ms))
    if retry.backoff_ms:
        policy.retry_back_off.base_interval.CopyFrom(millis(retry.backoff_ms))
    return policy
