"""What a cluster does beyond connecting: limits, balancing, ejection. Intents and the Envoy messages made of them.

`traffic_policy` fills the intents from rules; `clusters` puts the messages into clusters. Zero means unset wherever
nothing else is said, as in Istio.
"""

from typing import Final, Literal

import msgspec
from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster, UpstreamConnectionOptions
from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection
from envoy.config.common.matcher.v3.matcher_pb2 import HttpHeadersMatch, MatchPredicate
from envoy.config.core.v3.address_pb2 import TcpKeepalive
from envoy.config.core.v3.base_pb2 import RuntimeDouble
from envoy.config.core.v3.protocol_pb2 import (
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    KeepaliveSettings,
)
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as upstream_http
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.percent_pb2 import Percent
from google.protobuf.wrappers_pb2 import UInt64Value

from proa.core.model.service import Protocol
from proa.core.model.settings import Keepalive
from proa.core.pilot.translate.encode import millis, uint32

UNLIMITED: Final = 2**32 - 1
"""Istio sets every circuit-breaker threshold to this; Envoy's own defaults (1024, 3) are not used."""


Spoken = Literal["declared", "client", "h2"]


class RetryBudget(msgspec.Struct, frozen=True, kw_only=True):
    percent: float = 20.0
    min_concurrency: int = 3


class ConnectionPool(msgspec.Struct, frozen=True, kw_only=True):
    """0 means unset, as in Istio: it cannot mean zero. An idle timeout is None when nothing is said and 0 when there
    shall be none. `http`: "declared" speaks what the port is declared to speak, "client" what the client spoke."""

    max_connections: int = 0
    max_pending_requests: int = 0
    max_requests: int = 0
    max_requests_per_connection: int = 0
    max_retries: int = 0
    max_concurrent_streams: int = 0
    max_connection_duration_ms: int = 0
    tcp_idle_timeout_ms: int | None = None
    http_idle_timeout_ms: int | None = None
    keepalive: Keepalive | None = None
    ping_interval_ms: int = 0
    ping_timeout_ms: int = 0
    http: Spoken = "declared"
    retry_budget: RetryBudget | None = None


class Outlier(msgspec.Struct, frozen=True, kw_only=True):
    """A count of 0 switches its reason off. `local_origin` (failures to connect, time-outs) None: counted with the
    answers. `error_codes`: these statuses count as errors in place of 5xx. `min_health_percent`: ejections are ignored
    while fewer are left."""

    consecutive_5xx: int = 5
    consecutive_gateway: int = 0
    local_origin: int | None = None
    interval_ms: int = 10_000
    base_ejection_ms: int = 30_000
    max_ejection_percent: int = 10
    min_health_percent: int = 0
    error_codes: tuple[int, ...] = ()


class Warmup(msgspec.Struct, frozen=True, kw_only=True):
    """A new endpoint's share grows over `window_ms` from `minimum_percent`; `aggression` 1 is linear."""

    window_ms: int
    minimum_percent: float = 10.0
    aggression: float = 1.0


class Balancing(msgspec.Struct, frozen=True, kw_only=True):
    """`size`: of the ring (its least) or of Maglev's table. `warmup` goes with the first two only. `weighs_localities`:
    first a locality is picked by its weight, then an endpoint in it."""

    algorithm: Literal["LEAST_REQUEST", "ROUND_ROBIN", "RANDOM", "RING_HASH", "MAGLEV"] = "LEAST_REQUEST"
    size: int = 0
    warmup: Warmup | None = None
    weighs_localities: bool = False


def circuit_breakers(pool: ConnectionPool) -> CircuitBreakers:
    thresholds = CircuitBreakers.Thresholds(
        max_connections=uint32(pool.max_connections or UNLIMITED),
        max_pending_requests=uint32(pool.max_pending_requests or UNLIMITED),
        max_requests=uint32(pool.max_requests or UNLIMITED),
        max_retries=uint32(pool.max_retries or UNLIMITED),
    )
    if pool.retry_budget is not None:
        thresholds.retry_budget.CopyFrom(
            CircuitBreakers.Thresholds.RetryBudget(
                budget_percent=Percent(value=pool.retry_budget.percent),
                min_retry_concurrency=uint32(pool.retry_budget.min_concurrency),
            )
        )
    return CircuitBreakers(thresholds=[thresholds])


def balance(cluster: Cluster, balancing: Balancing) -> None:
    cluster.lb_policy = Cluster.LbPolicy.Value(balancing.algorithm)
    if balancing.weighs_localities:
        cluster.common_lb_config.locality_weighted_lb_config.SetInParent()
    match balancing.algorithm:
        case "RING_HASH":
            cluster.ring_hash_lb_config.minimum_ring_size.CopyFrom(UInt64Value(value=balancing.size))
        case "MAGLEV":
            cluster.maglev_lb_config.table_size.CopyFrom(UInt64Value(value=balancing.size))
        case "LEAST_REQUEST" if balancing.warmup is not None:
            cluster.least_request_lb_config.slow_start_config.CopyFrom(_slow_start(balancing.warmup))
        case "ROUND_ROBIN" if balancing.warmup is not None:
            cluster.round_robin_lb_config.slow_start_config.CopyFrom(_slow_start(balancing.warmup))
        case _:
            pass


def _slow_start(warmup: Warmup) -> Cluster.SlowStartConfig:
    return Cluster.SlowStartConfig(
        slow_start_window=millis(warmup.window_ms),
        aggression=RuntimeDouble(
            default_value=warmup.aggression, runtime_key="proa.warmup.aggression"
        ),  # the key has to be there and is set by nobody
        min_weight_percent=Percent(value=warmup.minimum_percent),
    )


def eject(cluster: Cluster, outlier: Outlier) -> None:
    """Success-rate ejection stays off, as in Istio."""
    message = OutlierDetection(
        consecutive_5xx=uint32(outlier.consecutive_5xx),
        enforcing_consecutive_5xx=uint32(100 if outlier.consecutive_5xx else 0),
        consecutive_gateway_failure=uint32(outlier.consecutive_gateway),
        enforcing_consecutive_gateway_failure=uint32(100 if outlier.consecutive_gateway else 0),
        enforcing_success_rate=uint32(0),
        interval=millis(outlier.interval_ms),
        base_ejection_time=millis(outlier.base_ejection_ms),
        max_ejection_percent=uint32(outlier.max_ejection_percent),
    )
    if outlier.local_origin is not None:
        message.split_external_local_origin_errors = True
        message.consecutive_local_origin_failure.CopyFrom(uint32(outlier.local_origin))
        message.enforcing_consecutive_local_origin_failure.CopyFrom(
            uint32(100 if outlier.local_origin else 0)
        )
        message.enforcing_local_origin_success_rate.CopyFrom(uint32(0))
    cluster.outlier_detection.CopyFrom(message)
    cluster.common_lb_config.healthy_panic_threshold.value = outlier.min_health_percent


def keep_alive(cluster: Cluster, pool: ConnectionPool) -> None:
    if pool.keepalive is None:
        return
    said = pool.keepalive
    settings = TcpKeepalive()
    for field, value in (
        (settings.keepalive_probes, said.probes),
        (settings.keepalive_time, said.time_s),
        (settings.keepalive_interval, said.interval_s),
    ):
        if value:
            field.value = value
    cluster.upstream_connection_options.CopyFrom(UpstreamConnectionOptions(tcp_keepalive=settings))


def http_options(
    protocol: Protocol, pool: ConnectionPool, outlier: Outlier | None
) -> upstream_http.HttpProtocolOptions:
    """How requests travel to a cluster of HTTP."""
    options = upstream_http.HttpProtocolOptions()
    common = _common_options(pool)
    if common != HttpProtocolOptions():
        options.common_http_protocol_options.CopyFrom(common)
    http2 = _http2_options(pool)
    if pool.http == "client" or protocol == "AUTO":
        options.use_downstream_protocol_config.http_protocol_options.CopyFrom(Http1ProtocolOptions())
        options.use_downstream_protocol_config.http2_protocol_options.CopyFrom(http2)
    elif protocol in ("HTTP2", "GRPC") or pool.http == "h2":
        options.explicit_http_config.http2_protocol_options.CopyFrom(http2)
    else:
        options.explicit_http_config.http_protocol_options.CopyFrom(Http1ProtocolOptions())
    if outlier is not None and outlier.error_codes:
        options.outlier_detection.error_matcher.CopyFrom(_is_error(outlier.error_codes))
    return options


def _common_options(pool: ConnectionPool) -> HttpProtocolOptions:
    common = HttpProtocolOptions()
    if pool.max_requests_per_connection:
        common.max_requests_per_connection.value = pool.max_requests_per_connection
    if pool.max_connection_duration_ms:
        common.max_connection_duration.CopyFrom(millis(pool.max_connection_duration_ms))
    idle = pool.http_idle_timeout_ms if pool.http_idle_timeout_ms is not None else pool.tcp_idle_timeout_ms
    if idle is not None:
        common.idle_timeout.CopyFrom(millis(idle))
    return common


def _http2_options(pool: ConnectionPool) -> Http2ProtocolOptions:
    http2 = Http2ProtocolOptions()
    if pool.max_concurrent_streams:
        http2.max_concurrent_streams.value = pool.max_concurrent_streams
    if pool.ping_interval_ms:
        http2.connection_keepalive.CopyFrom(
            KeepaliveSettings(interval=millis(pool.ping_interval_ms), timeout=millis(pool.ping_timeout_ms))
        )
    return http2


def _is_error(codes: tuple[int, ...]) -> MatchPredicate:
    rules = [
        MatchPredicate(
            http_response_headers_match=HttpHeadersMatch(
                headers=[HeaderMatcher(name=":status", string_match=StringMatcher(exact=str(code)))]
            )
        )
        for code in codes
    ]
    if len(rules) == 1:
        return rules[0]
    return MatchPredicate(or_match=MatchPredicate.MatchSet(rules=rules))
