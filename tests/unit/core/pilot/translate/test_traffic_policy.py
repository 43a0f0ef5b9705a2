"""What DestinationRules come to for one port and subset."""

import pytest
from immutables import Map

from proa.core.config.connection_pool import ConnectionPool, Http2Keepalive, HttpPool, TcpKeepalive, TcpPool
from proa.core.config.kinds.destination_rule.schema import (
    ConsistentHash,
    CookieAttribute,
    HttpCookie,
    LoadBalancer,
    Maglev,
    OutlierDetection,
    PortPolicy,
    PortSelector,
    RetryBudget,
    RingHash,
    Subset,
    TrafficPolicy,
    Warmup,
)
from proa.core.model.settings import Keepalive
from proa.core.pilot.scope.policies import Policy
from proa.core.pilot.scope.views import Destination
from proa.core.pilot.translate import cluster_policy
from proa.core.pilot.translate.cluster_policy import Balancing, Outlier
from proa.core.pilot.translate.routes.intents import HashKey, Target
from proa.core.pilot.translate.traffic_policy import (
    balancing_of,
    hash_key_of,
    outlier_of,
    policy_for,
    pool_of,
    target_at,
)
from proa.testing.builders import port

ROUND = LoadBalancer(simple="ROUND_ROBIN")
RANDOM = LoadBalancer(simple="RANDOM")
FEW = ConnectionPool(tcp=TcpPool(max_connections=3))
BUDGET = RetryBudget(percent=50)


def at_port(number: int, load_balancer: LoadBalancer) -> PortPolicy:
    return PortPolicy(port=PortSelector(number=number), load_balancer=load_balancer)


def policy(traffic: TrafficPolicy | None, own: TrafficPolicy | None = None) -> Policy:
    return Policy(refs=(), traffic=traffic, subsets=(Subset(name="v1", labels=Map(), traffic_policy=own),))


def test_no_rule_says_nothing() -> None:
    assert policy_for(None, "", 80) == policy_for(policy(None), "v1", 80) == TrafficPolicy()


def test_a_subset_inherits_block_by_block() -> None:
    rule = policy(
        TrafficPolicy(load_balancer=ROUND, connection_pool=FEW), TrafficPolicy(load_balancer=RANDOM)
    )
    assert policy_for(rule, "", 80).load_balancer == ROUND
    found = policy_for(rule, "v1", 80)
    assert (found.load_balancer, found.connection_pool) == (RANDOM, FEW)


def test_a_ports_settings_replace_all_others() -> None:
    rule = policy(
        TrafficPolicy(connection_pool=FEW, retry_budget=BUDGET, port_level_settings=(at_port(80, RANDOM),))
    )
    found = policy_for(rule, "", 80)
    assert (found.load_balancer, found.connection_pool, found.retry_budget) == (RANDOM, None, BUDGET)
    assert policy_for(rule, "", 81).connection_pool == FEW


def test_a_subset_inherits_ports_that_it_does_not_name() -> None:
    rule = policy(
        TrafficPolicy(port_level_settings=(at_port(80, RANDOM), at_port(81, RANDOM))),
        TrafficPolicy(port_level_settings=(at_port(80, ROUND),)),
    )
    assert policy_for(rule, "v1", 80).load_balancer == ROUND
    assert policy_for(rule, "v1", 81).load_balancer == RANDOM


@pytest.mark.parametrize(
    ("spec", "balancing"),
    [
        (LoadBalancer(), Balancing()),
        (ROUND, Balancing(algorithm="ROUND_ROBIN")),
        (RANDOM, Balancing(algorithm="RANDOM")),
        (
            LoadBalancer(warmup_duration_secs=5000),
            Balancing(warmup=cluster_policy.Warmup(window_ms=5000)),
        ),
        (
            LoadBalancer(simple="ROUND_ROBIN", warmup=Warmup(duration=5000, minimum_percent=0, aggression=2)),
            Balancing(
                algorithm="ROUND_ROBIN",
                warmup=cluster_policy.Warmup(window_ms=5000, minimum_percent=0, aggression=2),
            ),
        ),
        (
            LoadBalancer(consistent_hash=ConsistentHash(use_source_ip=True)),
            Balancing(algorithm="RING_HASH", size=1024),
        ),
        (
            LoadBalancer(consistent_hash=ConsistentHash(use_source_ip=True, minimum_ring_size=8)),
            Balancing(algorithm="RING_HASH", size=8),
        ),
        (
            LoadBalancer(
                consistent_hash=ConsistentHash(use_source_ip=True, ring_hash=RingHash(minimum_ring_size=9))
            ),
            Balancing(algorithm="RING_HASH", size=9),
        ),
        (
            LoadBalancer(consistent_hash=ConsistentHash(use_source_ip=True, maglev=Maglev())),
            Balancing(algorithm="MAGLEV", size=65537),
        ),
    ],
)
def test_how_endpoints_are_chosen(spec: LoadBalancer, balancing: Balancing) -> None:
    assert balancing_of(TrafficPolicy(load_balancer=spec)) == balancing


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        (ConsistentHash(http_header_name="x-user"), HashKey(header="x-user")),
        (ConsistentHash(http_query_parameter_name="user"), HashKey(query_parameter="user")),
        (ConsistentHash(use_source_ip=True), HashKey(source_ip=True)),
        (
            ConsistentHash(
                http_cookie=HttpCookie(
                    name="user", path="/", ttl=0, attributes=(CookieAttribute(name="SameSite", value="Lax"),)
                )
            ),
            HashKey(cookie="user", path="/", ttl_ms=0, attributes=(("SameSite", "Lax"),)),
        ),
    ],
)
def test_what_requests_are_told_apart_by(spec: ConsistentHash, key: HashKey) -> None:
    assert hash_key_of(TrafficPolicy(load_balancer=LoadBalancer(consistent_hash=spec))) == key
    assert hash_key_of(TrafficPolicy(load_balancer=ROUND)) is None


def test_what_pools_say() -> None:
    pool = pool_of(
        TrafficPolicy(
            retry_budget=RetryBudget(),
            connection_pool=ConnectionPool(
                tcp=TcpPool(
                    max_connections=1,
                    tcp_keepalive=TcpKeepalive(probes=2, time=3000),
                    max_connection_duration=4,
                    idle_timeout=0,
                ),
                http=HttpPool(
                    http1_max_pending_requests=5,
                    http2_max_requests=6,
                    max_requests_per_connection=7,
                    max_retries=8,
                    idle_timeout=9,
                    h2_upgrade_policy="UPGRADE",
                    max_concurrent_streams=10,
                    http2_keep_alive=Http2Keepalive(interval=11, timeout=12),
                ),
            ),
        )
    )
    assert pool == cluster_policy.ConnectionPool(
        max_connections=1,
        keepalive=Keepalive(probes=2, time_s=3),
        max_connection_duration_ms=4,
        tcp_idle_timeout_ms=0,
        max_pending_requests=5,
        max_requests=6,
        max_requests_per_connection=7,
        max_retries=8,
        http_idle_timeout_ms=9,
        http="h2",
        max_concurrent_streams=10,
        ping_interval_ms=11,
        ping_timeout_ms=12,
        retry_budget=cluster_policy.RetryBudget(percent=20, min_concurrency=3),
    )
    assert pool_of(TrafficPolicy()) == cluster_policy.ConnectionPool()


def test_what_ejects() -> None:
    assert outlier_of(TrafficPolicy()) is None
    split = OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_5xx_errors=0,
        min_health_percent=50,
        outlier_detection_http_error_codes=(500, 429, 500),
    )
    assert outlier_of(TrafficPolicy(outlier_detection=split)) == Outlier(
        consecutive_5xx=0, local_origin=5, min_health_percent=50, error_codes=(429, 500)
    )
    unsplit = OutlierDetection(consecutive_local_origin_failures=2)
    assert outlier_of(TrafficPolicy(outlier_detection=unsplit)) == Outlier()


def test_what_a_route_has_to_know_of_its_cluster() -> None:
    traffic = TrafficPolicy(
        load_balancer=LoadBalancer(consistent_hash=ConsistentHash(use_source_ip=True)),
        connection_pool=ConnectionPool(http=HttpPool(use_client_protocol=True)),
    )
    one = port(80)
    found = target_at(Destination(ports=(one,), policy=policy(traffic)), one, "v1", "a.b")
    assert found == Target(
        cluster="outbound|80|v1|a.b", follows_client=True, hash_key=HashKey(source_ip=True)
    )
    assert target_at(Destination(ports=(one,)), one, "", "a.b") == Target(cluster="outbound|80||a.b")
