"""How Envoy spreads requests over a cluster's endpoints: by priority, then by locality, then by weight.

A priority has all of the load while enough of it is healthy; what it lacks, with an allowance of 40 percent, falls to
the next. `clusters` calls this.
"""

from collections.abc import Iterator
from typing import Final

from envoy.config.core.v3.health_check_pb2 import HEALTHY, UNKNOWN
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints

OVERPROVISIONING: Final = 1.4
"""Envoy's default."""

Spread = tuple[LocalityLbEndpoints, LbEndpoint, float]


def spread(groups: list[LocalityLbEndpoints], *, by_locality: bool) -> Iterator[Spread]:
    """The endpoints that get requests, each with its share of them (all shares: 1) where weights alone decide. With a
    panic threshold of 0 those that are not healthy get nothing."""
    for priority, load in _loads(groups).items():
        if not load:
            continue
        chosen = [group for group in groups if group.priority == priority and _healthy(group)]
        pools = [[group] for group in chosen] if by_locality else [chosen]
        weights = [_locality_weight(pool[0]) for pool in pools] if by_locality else [1.0]
        for pool, weight in zip(pools, weights, strict=True):
            if weight:
                yield from _within(pool, load * weight / sum(weights))


def _within(pool: list[LocalityLbEndpoints], share: float) -> Iterator[Spread]:
    members = [(group, endpoint) for group in pool for endpoint in _healthy(group)]
    total = sum(weight_of(endpoint) for _, endpoint in members)
    for group, endpoint in members:
        yield group, endpoint, share * weight_of(endpoint) / total


def _loads(groups: list[LocalityLbEndpoints]) -> dict[int, float]:
    """What of all requests each priority gets."""
    health = {
        priority: _health([group for group in groups if group.priority == priority])
        for priority in sorted({group.priority for group in groups})
    }
    available = min(1.0, sum(health.values()))
    left = 1.0
    loads: dict[int, float] = {}
    for priority, each in health.items():
        loads[priority] = min(left, each / available) if available else 0.0
        left -= loads[priority]
    return loads


def _health(groups: list[LocalityLbEndpoints]) -> float:
    healthy = sum(len(_healthy(group)) for group in groups)
    total = sum(len(group.lb_endpoints) for group in groups)
    return min(1.0, OVERPROVISIONING * healthy / total) if total else 0.0


def _locality_weight(group: LocalityLbEndpoints) -> float:
    return group.load_balancing_weight.value * _health([group])


def _healthy(group: LocalityLbEndpoints) -> list[LbEndpoint]:
    return [endpoint for endpoint in group.lb_endpoints if endpoint.health_status in (HEALTHY, UNKNOWN)]


def weight_of(endpoint: LbEndpoint) -> int:
    return endpoint.load_balancing_weight.value if endpoint.HasField("load_balancing_weight") else 1
