"""What limits, balancing and ejection become in Envoy's words."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.model.settings import Keepalive
from proa.core.pilot.translate.cluster_policy import (
    UNLIMITED,
    Balancing,
    ConnectionPool,
    Outlier,
    RetryBudget,
    Warmup,
    balance,
    circuit_breakers,
    eject,
    http_options,
    keep_alive,
)


def test_nothing_said_is_no_limit() -> None:
    (limits,) = circuit_breakers(ConnectionPool()).thresholds
    assert limits.max_retries.value == UNLIMITED
    assert not limits.HasField("retry_budget")


def test_a_retry_budget() -> None:
    pool = ConnectionPool(retry_budget=RetryBudget(percent=25, min_concurrency=0))
    (limits,) = circuit_breakers(pool).thresholds
    assert limits.retry_budget.budget_percent.value == 25
    assert limits.retry_budget.HasField("min_retry_concurrency")
    assert limits.retry_budget.min_retry_concurrency.value == 0


def test_balancing() -> None:
    ring, table, warm = Cluster(), Cluster(), Cluster()
    balance(ring, Balancing(algorithm="RING_HASH", size=1024))
    balance(table, Balancing(algorithm="MAGLEV", size=65537))
    balance(warm, Balancing(warmup=Warmup(window_ms=1500, minimum_percent=0, aggression=2)))
    assert (ring.lb_policy, ring.ring_hash_lb_config.minimum_ring_size.value) == (Cluster.RING_HASH, 1024)
    assert (table.lb_policy, table.maglev_lb_config.table_size.value) == (Cluster.MAGLEV, 65537)
    start = warm.least_request_lb_config.slow_start_config
    assert (start.slow_start_window.nanos, start.aggression.default_value) == (500_000_000, 2)
    assert start.HasField("min_weight_percent")


def test_local_errors_apart_from_answers() -> None:
    together, apart, never = Cluster(), Cluster(), Cluster()
    eject(together, Outlier(min_health_percent=50))
    eject(apart, Outlier(local_origin=3))
    eject(never, Outlier(local_origin=0))
    assert not together.outlier_detection.split_external_local_origin_errors
    assert together.common_lb_config.healthy_panic_threshold.value == 50
    assert apart.outlier_detection.consecutive_local_origin_failure.value == 3
    assert apart.outlier_detection.enforcing_consecutive_local_origin_failure.value == 100
    assert never.outlier_detection.enforcing_consecutive_local_origin_failure.value == 0


def test_probes_of_idle_connections() -> None:
    silent, probing = Cluster(), Cluster()
    keep_alive(silent, ConnectionPool())
    keep_alive(probing, ConnectionPool(keepalive=Keepalive(time_s=60)))
    assert not silent.HasField("upstream_connection_options")
    probes = probing.upstream_connection_options.tcp_keepalive
    assert probes.keepalive_time.value == 60
    assert not probes.HasField("keepalive_probes")


def test_http() -> None:
    pool = ConnectionPool(
        max_requests_per_connection=1,
        max_connection_duration_ms=2000,
        tcp_idle_timeout_ms=3000,
        max_concurrent_streams=4,
        ping_interval_ms=5000,
        ping_timeout_ms=1000,
    )
    options = http_options("HTTP2", pool, Outlier(error_codes=(429, 500)))
    common, http2 = (
        options.common_http_protocol_options,
        options.explicit_http_config.http2_protocol_options,
    )
    assert common.max_requests_per_connection.value == 1
    assert (common.max_connection_duration.seconds, common.idle_timeout.seconds) == (2, 3)
    assert http2.max_concurrent_streams.value == 4
    assert http2.connection_keepalive.interval.seconds == 5
    codes = [
        rule.http_response_headers_match.headers[0].string_match.exact
        for rule in options.outlier_detection.error_matcher.or_match.rules
    ]
    assert codes == ["429", "500"]


def test_an_idle_timeout_of_requests_wins_and_nought_is_none() -> None:
    options = http_options("HTTP", ConnectionPool(tcp_idle_timeout_ms=3000, http_idle_timeout_ms=0), None)
    assert options.common_http_protocol_options.HasField("idle_timeout")
    assert options.common_http_protocol_options.idle_timeout.seconds == 0


def test_which_http_is_spoken() -> None:
    def spoken(protocol: str, http: str) -> str | None:
        options = http_options(protocol, ConnectionPool(http=http), None)  # type: ignore[arg-type]
        explicit = options.explicit_http_config.WhichOneof("protocol_config")
        return explicit or options.WhichOneof("upstream_protocol_options")

    assert spoken("HTTP", "declared") == "http_protocol_options"
    assert spoken("HTTP", "h2") == spoken("GRPC", "declared") == "http2_protocol_options"
    assert spoken("HTTP", "client") == spoken("AUTO", "h2") == "use_downstream_protocol_config"
