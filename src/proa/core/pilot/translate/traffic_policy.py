"""What DestinationRules say about one port and subset of a host, in the terms of clusters and routes.

A subset's blocks replace the rule's and what it does not say it inherits; a port's settings replace all of them
together, for what a port can say (retry budget, tunnel and PROXY protocol stay those of the policy around).
"""

import msgspec

from proa.core.auth.hop import ClientRule
from proa.core.config.connection_pool import ConnectionPool as PoolSpec
from proa.core.config.connection_pool import HttpPool, TcpPool
from proa.core.config.kinds.destination_rule.schema import ConsistentHash, TrafficPolicy
from proa.core.config.kinds.destination_rule.schema import Warmup as WarmupSpec
from proa.core.model.names import cluster_name
from proa.core.model.service import Service, ServicePort
from proa.core.pilot.registry.mesh_config import keepalive_of
from proa.core.pilot.scope.policies import Policy
from proa.core.pilot.scope.views import Destination
from proa.core.pilot.translate.cluster_policy import (
    Balancing,
    ConnectionPool,
    Outlier,
    RetryBudget,
    Spoken,
    Warmup,
)
from proa.core.pilot.translate.routes.intents import HashKey, Target

RING_SIZE = 1024
TABLE_SIZE = 65537
"""Istio's defaults."""
LOCAL_ORIGIN_FAILURES = 5


def policy_for(policy: Policy | None, subset: str, port: int) -> TrafficPolicy:
    """All that holds for one cluster, in one policy without port levels."""
    traffic = _said_for(policy, subset, port)
    derived = policy.tls_at(port) if policy is not None else None
    return msgspec.structs.replace(traffic, tls=derived) if derived and traffic.tls is None else traffic


def rule_of(traffic: TrafficPolicy, service: Service) -> ClientRule:
    """Without a word of a rule's, what is outside the mesh is spoken to as it was asked for: no facts of endpoints
    make it the mesh's."""
    if traffic.tls is None:
        return "plain" if service.mesh_external else "auto"
    match traffic.tls.mode:
        case "DISABLE":
            return "plain"
        case "ISTIO_MUTUAL":
            return "mutual"
        case "SIMPLE" | "MUTUAL":
            return "outside"


def _said_for(policy: Policy | None, subset: str, port: int) -> TrafficPolicy:
    top = (policy.traffic if policy else None) or TrafficPolicy()
    own = None
    if subset and policy is not None:
        own = next(each.traffic_policy for each in policy.subsets if each.name == subset)
    merged = top if own is None else _inherit(own, top)
    for level in merged.port_level_settings:
        if level.port.number == port:
            return TrafficPolicy(
                load_balancer=level.load_balancer,
                connection_pool=level.connection_pool,
                outlier_detection=level.outlier_detection,
                tls=level.tls,
                retry_budget=merged.retry_budget,
                tunnel=merged.tunnel,
                proxy_protocol=merged.proxy_protocol,
            )
    return merged


def _inherit(own: TrafficPolicy, top: TrafficPolicy) -> TrafficPolicy:
    named = {level.port.number for level in own.port_level_settings}
    return TrafficPolicy(
        load_balancer=own.load_balancer or top.load_balancer,
        connection_pool=own.connection_pool or top.connection_pool,
        outlier_detection=own.outlier_detection or top.outlier_detection,
        tls=own.tls or top.tls,
        port_level_settings=(
            *own.port_level_settings,
            *(level for level in top.port_level_settings if level.port.number not in named),
        ),
        retry_budget=own.retry_budget or top.retry_budget,
        tunnel=own.tunnel or top.tunnel,
        proxy_protocol=own.proxy_protocol or top.proxy_protocol,
    )


def tunnelled_name(cluster: str) -> str:
    """Where streams for a cluster go whose policy has a tunnel."""
    return f"tunnel_{cluster}"


def target_at(destination: Destination, port: ServicePort, subset: str, host: str) -> Target:
    """The cluster of a service's port and subset, with what a route has to know of it."""
    traffic = policy_for(destination.policy, subset, port.number)
    return Target(
        cluster=cluster_name("outbound", port.number, subset, host),
        follows_client=port.protocol == "AUTO" or pool_of(traffic).http == "client",
        hash_key=hash_key_of(traffic),
    )


def balancing_of(traffic: TrafficPolicy, *, weighs_localities: bool = False) -> Balancing:
    spec = traffic.load_balancer
    if spec is None:
        chosen = Balancing()
    elif spec.consistent_hash is not None:
        chosen = _hashing(spec.consistent_hash)
    else:
        warmup = _warmup(spec.warmup, spec.warmup_duration_secs)
        match spec.simple:
            case "ROUND_ROBIN":
                chosen = Balancing(algorithm="ROUND_ROBIN", warmup=warmup)
            case "RANDOM":
                chosen = Balancing(algorithm="RANDOM")
            case _:
                chosen = Balancing(warmup=warmup)
    return msgspec.structs.replace(chosen, weighs_localities=weighs_localities)


def _hashing(spec: ConsistentHash) -> Balancing:
    if spec.maglev is not None:
        return Balancing(algorithm="MAGLEV", size=spec.maglev.table_size or TABLE_SIZE)
    said = spec.ring_hash.minimum_ring_size if spec.ring_hash else 0
    return Balancing(algorithm="RING_HASH", size=said or spec.minimum_ring_size or RING_SIZE)


def _warmup(spec: WarmupSpec | None, old: int | None) -> Warmup | None:
    if spec is None:
        return None if old is None else Warmup(window_ms=old)
    default = Warmup(window_ms=spec.duration)
    return Warmup(
        window_ms=spec.duration,
        minimum_percent=default.minimum_percent if spec.minimum_percent is None else spec.minimum_percent,
        aggression=spec.aggression or default.aggression,
    )


def hash_key_of(traffic: TrafficPolicy) -> HashKey | None:
    """None: any endpoint will do."""
    spec = traffic.load_balancer.consistent_hash if traffic.load_balancer else None
    if spec is None:
        return None
    cookie = spec.http_cookie
    if cookie is None:
        return HashKey(
            header=spec.http_header_name,
            query_parameter=spec.http_query_parameter_name,
            source_ip=spec.use_source_ip,
        )
    return HashKey(
        cookie=cookie.name,
        path=cookie.path,
        ttl_ms=cookie.ttl,
        attributes=tuple((each.name, each.value) for each in cookie.attributes),
    )


def pool_of(traffic: TrafficPolicy) -> ConnectionPool:
    return limits_of(traffic.connection_pool, _retry_budget(traffic))


def limits_of(spec: PoolSpec | None, retry_budget: RetryBudget | None = None) -> ConnectionPool:
    """Of a policy, or of what a Sidecar says of its own app."""
    tcp = (spec.tcp if spec else None) or TcpPool()
    http = (spec.http if spec else None) or HttpPool()
    ping = http.http2_keep_alive
    return ConnectionPool(
        max_connections=tcp.max_connections,
        max_pending_requests=http.http1_max_pending_requests,
        max_requests=http.http2_max_requests,
        max_requests_per_connection=http.max_requests_per_connection,
        max_retries=http.max_retries,
        max_concurrent_streams=http.max_concurrent_streams,
        max_connection_duration_ms=tcp.max_connection_duration or 0,
        tcp_idle_timeout_ms=tcp.idle_timeout,
        http_idle_timeout_ms=http.idle_timeout,
        keepalive=keepalive_of(tcp.tcp_keepalive),
        ping_interval_ms=ping.interval if ping else 0,
        ping_timeout_ms=ping.timeout if ping else 0,
        http=_spoken(http),
        retry_budget=retry_budget,
    )


def _spoken(http: HttpPool) -> Spoken:
    if http.use_client_protocol:
        return "client"
    return "h2" if http.h2_upgrade_policy == "UPGRADE" else "declared"


def _retry_budget(traffic: TrafficPolicy) -> RetryBudget | None:
    spec = traffic.retry_budget
    if spec is None:
        return None
    default = RetryBudget()
    return RetryBudget(
        percent=default.percent if spec.percent is None else spec.percent,
        min_concurrency=default.min_concurrency
        if spec.min_retry_concurrency is None
        else spec.min_retry_concurrency,
    )


def outlier_of(traffic: TrafficPolicy) -> Outlier | None:
    spec = traffic.outlier_detection
    if spec is None:
        return None
    default = Outlier()
    said = spec.consecutive_5xx_errors
    gateway = spec.consecutive_gateway_errors
    local = spec.consecutive_local_origin_failures
    return Outlier(
        consecutive_5xx=default.consecutive_5xx if said is None else said,
        consecutive_gateway=spec.consecutive_errors if gateway is None else gateway,
        local_origin=(LOCAL_ORIGIN_FAILURES if local is None else local)
        if spec.split_external_local_origin_errors
        else None,
        interval_ms=spec.interval or default.interval_ms,
        base_ejection_ms=spec.base_ejection_time or default.base_ejection_ms,
        max_ejection_percent=spec.max_ejection_percent or default.max_ejection_percent,
        min_health_percent=spec.min_health_percent,
        error_codes=tuple(sorted(set(spec.outlier_detection_http_error_codes))),
    )
