"""What of a rule gRPC's own xDS client can do, and what it cannot, by the names under which users write it.

Called by `proxyless`, which makes the messages. A field that the client does not know is left out here, because it
would refuse some and follow none; that it is left out is told by name.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from proa.core.config.kinds.destination_rule.schema import LoadBalancer, OutlierDetection, TrafficPolicy
from proa.core.model.settings import Retry
from proa.core.pilot.translate.cluster_policy import Balancing
from proa.core.pilot.translate.routes.intents import HashKey, Mirror, RouteIntent, Target
from proa.core.pilot.translate.traffic_policy import RING_SIZE, balancing_of, outlier_of

CHANNEL: Final = "io.grpc.channel_id"
"""The only state that the client hashes by: which of its channels a call is made over."""
RETRY_CONDITIONS: Final = (
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
)


class GrpcOutlier(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint is ejected when, in one interval, all of at least `calls` calls to it failed."""

    calls: int
    interval_ms: int
    base_ejection_ms: int
    max_ejection_percent: int


# -- balancing and ejection --


def spoken_balancing(traffic: TrafficPolicy) -> Balancing:
    """A ring for whoever hashes by what the client can hash by; round robin for all else."""
    said = balancing_of(traffic)
    if said.algorithm not in ("RING_HASH", "MAGLEV") or not _can_hash(traffic.load_balancer):
        return Balancing(algorithm="ROUND_ROBIN")
    return Balancing(algorithm="RING_HASH", size=said.size if said.algorithm == "RING_HASH" else RING_SIZE)


def _can_hash(spec: LoadBalancer | None) -> bool:
    key = spec.consistent_hash if spec else None
    return key is not None and bool(key.http_header_name or key.use_source_ip)


def spoken_key(key: HashKey | None) -> HashKey | None:
    """A program that is its own proxy has one address: to go by it is to go by the channel."""
    if key is None or key.cookie or key.query_parameter:
        return None
    return HashKey(filter_state=CHANNEL) if key.source_ip else key


def spoken_outlier(traffic: TrafficPolicy) -> GrpcOutlier | None:
    """The client counts no errors in a row. It knows shares of failed calls in an interval, so whom it ejects Envoy
    would have ejected too: so many calls that all fail are so many in a row."""
    said = outlier_of(traffic)
    if said is None:
        return None
    counts = [count for count in (said.consecutive_5xx, said.consecutive_gateway) if count]
    if not counts:
        return None
    return GrpcOutlier(
        calls=min(counts),
        interval_ms=said.interval_ms,
        base_ejection_ms=said.base_ejection_ms,
        max_ejection_percent=said.max_ejection_percent,
    )


def unspoken_policy(traffic: TrafficPolicy) -> Iterator[str]:
    """The fields of a policy without effect on such a client."""
    spec = traffic.load_balancer
    if spec is not None:
        key = spec.consistent_hash
        if spec.simple in ("LEAST_REQUEST", "LEAST_CONN", "RANDOM"):
            yield f"loadBalancer.simple {spec.simple} (round robin instead)"
        if key is not None and key.http_cookie is not None:
            yield "loadBalancer.consistentHash.httpCookie (round robin instead)"
        if key is not None and key.http_query_parameter_name:
            yield "loadBalancer.consistentHash.httpQueryParameterName (round robin instead)"
        if key is not None and key.maglev is not None and _can_hash(spec):
            yield "loadBalancer.consistentHash.maglev (a ring instead)"
        if spec.warmup is not None or spec.warmup_duration_secs is not None:
            yield "loadBalancer.warmup"
    if traffic.outlier_detection is not None:
        yield from _unspoken_outlier(traffic.outlier_detection)
    yield from _unspoken_pool(traffic)
    if traffic.retry_budget is not None:
        yield "retryBudget"


def _unspoken_outlier(spec: OutlierDetection) -> Iterator[str]:
    fields = {
        "splitExternalLocalOriginErrors": spec.split_external_local_origin_errors,
        "minHealthPercent": spec.min_health_percent,
        "outlierDetectionHttpErrorCodes": spec.outlier_detection_http_error_codes,
    }
    yield from (f"outlierDetection.{name}" for name, value in fields.items() if value)


def _unspoken_pool(traffic: TrafficPolicy) -> Iterator[str]:
    """Of a connection pool the client knows `http2MaxRequests` and the time to connect."""
    pool = traffic.connection_pool
    tcp, http = (pool.tcp, pool.http) if pool is not None else (None, None)
    fields: dict[str, object] = {}
    if tcp is not None:
        fields |= {
            "tcp.maxConnections": tcp.max_connections,
            "tcp.maxConnectionDuration": tcp.max_connection_duration,
            "tcp.idleTimeout": tcp.idle_timeout,
            "tcp.tcpKeepalive": tcp.tcp_keepalive,
        }
    if http is not None:
        fields |= {
            "http.http1MaxPendingRequests": http.http1_max_pending_requests,
            "http.maxRequestsPerConnection": http.max_requests_per_connection,
            "http.maxRetries": http.max_retries,
            "http.idleTimeout": http.idle_timeout,
            "http.maxConcurrentStreams": http.max_concurrent_streams,
            "http.http2KeepAlive": http.http2_keep_alive,
        }
    yield from (f"connectionPool.{name}" for name, value in fields.items() if value)


# -- rules --


def spoken_rule(rule: RouteIntent) -> RouteIntent:
    """Without filters that only an Envoy has."""
    targets = tuple(
        msgspec.structs.replace(target, follows_client=False, hash_key=spoken_key(target.hash_key))
        for target in rule.targets
    )
    session = rule.session if rule.session is not None and rule.session.cookie else None
    # What asks for a claim holds for no call: nobody has looked at a token, and the client overlooks the condition.
    matches = tuple(match for match in rule.matches if not match.claims)
    return msgspec.structs.replace(
        rule, matches=matches, targets=targets, cors=None, mirrors=(), session=session, without_proxy=True
    )


def unspoken_rule(rule: RouteIntent) -> Iterator[str]:
    """The fields of a rule without effect on such a client. Where it neither redirects nor answers by itself, calls
    fail; a condition on parameters or claims holds for no call."""
    mirrors: tuple[Mirror, ...] = rule.mirrors
    fields = {
        "redirect": rule.redirect,
        "directResponse": rule.direct_response,
        "rewrite": rule.rewrite,
        "mirrors": mirrors,
        "corsPolicy": rule.cors,
        "headers": _has_edits(rule) or any(map(_has_edits, rule.targets)),
        "sessionPersistence.type Header": rule.session is not None and rule.session.header,
        "match.queryParams": any(match.query for match in rule.matches),
        "match.headers of claims": any(match.claims for match in rule.matches),
    }
    yield from (name for name, value in fields.items() if value)
    yield from _unspoken_retry(rule.retry)


def _has_edits(edited: RouteIntent | Target) -> bool:
    sides = (edited.request_headers, edited.response_headers)
    return any(side.set or side.add or side.remove for side in sides)


def _unspoken_retry(retry: Retry) -> Iterator[str]:
    """Nothing is told of what nobody wrote."""
    default = Retry()
    if not retry.attempts or retry == default:
        return
    if retry.per_try_timeout_ms:
        yield "retries.perTryTimeout"
    asked = [*retry.on, *map(str, retry.status_codes)] if retry.on != default.on else []
    if others := [each for each in asked if each not in RETRY_CONDITIONS]:
        yield f"retries.retryOn {','.join(others)}"
    if retry.other_localities:
        yield "retries.retryRemoteLocalities"
