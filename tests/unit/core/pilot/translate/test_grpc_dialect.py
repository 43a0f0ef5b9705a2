"""What gRPC's own client is told of a rule, and what its author is told."""

import msgspec
import pytest

from proa.core.config.kinds.destination_rule.schema import TrafficPolicy
from proa.core.config.record import Record
from proa.core.model.settings import Retry
from proa.core.pilot.translate.cluster_policy import Balancing
from proa.core.pilot.translate.grpc_dialect import (
    CHANNEL,
    GrpcOutlier,
    spoken_balancing,
    spoken_key,
    spoken_outlier,
    spoken_rule,
    unspoken_policy,
    unspoken_rule,
)
from proa.core.pilot.translate.routes.intents import (
    FieldMatch,
    HashKey,
    HeaderEdits,
    Mirror,
    Redirect,
    RequestMatch,
    RouteIntent,
    Session,
    Target,
    TextMatch,
)


def policy(text: str) -> TrafficPolicy:
    from proa.core.config import load_all

    head = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\n"
    found = load_all(f"{head}spec: {{host: a, trafficPolicy: {text}}}\n", "f")
    assert not found.errors, found.errors
    spec: Record = found.configs[0].spec
    traffic: TrafficPolicy = spec.traffic_policy  # type: ignore[attr-defined]
    return traffic


@pytest.mark.parametrize(
    ("text", "algorithm", "told"),
    [
        ("{loadBalancer: {simple: ROUND_ROBIN}}", "ROUND_ROBIN", []),
        ("{loadBalancer: {simple: RANDOM}}", "ROUND_ROBIN", ["loadBalancer.simple RANDOM"]),
        ("{loadBalancer: {consistentHash: {httpHeaderName: a}}}", "RING_HASH", []),
        ("{loadBalancer: {consistentHash: {useSourceIp: true}}}", "RING_HASH", []),
        (
            "{loadBalancer: {consistentHash: {httpHeaderName: a, maglev: {}}}}",
            "RING_HASH",
            ["loadBalancer.consistentHash.maglev"],
        ),
        (
            "{loadBalancer: {consistentHash: {httpCookie: {name: a}}}}",
            "ROUND_ROBIN",
            ["loadBalancer.consistentHash.httpCookie"],
        ),
        (
            "{loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s}}, retryBudget: {}}",
            "ROUND_ROBIN",
            ["loadBalancer.warmup", "retryBudget"],
        ),
        (
            "{connectionPool: {tcp: {maxConnections: 1}, http: {http2MaxRequests: 1, maxRetries: 2}}}",
            "ROUND_ROBIN",
            ["connectionPool.tcp.maxConnections", "connectionPool.http.maxRetries"],
        ),
    ],
)
def test_what_balances_and_what_is_told(text: str, algorithm: str, told: list[str]) -> None:
    traffic = policy(text)
    made = spoken_balancing(traffic)
    assert made.algorithm == algorithm
    assert made == Balancing(algorithm="ROUND_ROBIN") or made.size > 0
    assert [each.partition(" (")[0] for each in unspoken_policy(traffic)] == told


def test_a_channel_stands_for_its_clients_address() -> None:
    assert spoken_key(HashKey(source_ip=True)) == HashKey(filter_state=CHANNEL)
    assert spoken_key(HashKey(header="a")) == HashKey(header="a")
    assert spoken_key(HashKey(cookie="a")) is None


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("{}", 5),
        ("{consecutive5xxErrors: 7, consecutiveGatewayErrors: 3}", 3),
        ("{consecutive5xxErrors: 0, consecutiveGatewayErrors: 3}", 3),
        ("{consecutive5xxErrors: 0}", None),
    ],
)
def test_ejection_asks_for_as_many_calls_as_errors_in_a_row(text: str, calls: int | None) -> None:
    made = spoken_outlier(policy(f"{{outlierDetection: {text}}}"))
    assert (made.calls if made else None) == calls
    assert made is None or msgspec.structs.replace(made, calls=1) == GrpcOutlier(
        calls=1, interval_ms=10_000, base_ejection_ms=30_000, max_ejection_percent=10
    )


def test_what_a_rule_asks_in_vain_is_named() -> None:
    target = Target(cluster="c", follows_client=True, request_headers=HeaderEdits(set=(("a", "b"),)))
    query = FieldMatch(name="a", text=TextMatch(kind="present"))
    rule = RouteIntent(
        targets=(target,),
        matches=(RequestMatch(query=(query,)),),
        redirect=Redirect(),
        mirrors=(Mirror(cluster="m"),),
        session=Session(header="x-seat"),
        retry=Retry(on=("gateway-error", "unavailable"), status_codes=(503,), per_try_timeout_ms=5),
    )
    assert list(unspoken_rule(rule)) == [
        "redirect",
        "mirrors",
        "headers",
        "sessionPersistence.type Header",
        "match.queryParams",
        "retries.perTryTimeout",
        "retries.retryOn gateway-error,503",
    ]
    assert list(unspoken_rule(RouteIntent(session=Session(cookie="a")))) == []
    spoken = spoken_rule(rule)
    assert (spoken.mirrors, spoken.session, spoken.targets[0].follows_client) == ((), None, False)
    assert spoken_rule(RouteIntent(session=Session(cookie="a"))).session == Session(cookie="a")
