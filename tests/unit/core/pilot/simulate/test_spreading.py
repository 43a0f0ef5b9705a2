"""Who gets how much, as Envoy's documentation of priorities and locality weights has it."""

import pytest
from envoy.config.core.v3.base_pb2 import Locality
from envoy.config.core.v3.health_check_pb2 import HEALTHY, UNHEALTHY
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints

from proa.core.pilot.simulate.spreading import spread
from proa.core.pilot.translate.encode import uint32


def group(
    priority: int, healthy: int, sick: int = 0, *, region: str = "", weight: int = 0
) -> LocalityLbEndpoints:
    states = [HEALTHY] * healthy + [UNHEALTHY] * sick
    made = LocalityLbEndpoints(
        locality=Locality(region=region),
        priority=priority,
        lb_endpoints=[LbEndpoint(health_status=state, load_balancing_weight=uint32(1)) for state in states],
    )
    if weight:
        made.load_balancing_weight.value = weight
    return made


def by_priority(*groups: LocalityLbEndpoints) -> dict[int, float]:
    found: dict[int, float] = {}
    for each, _, share in spread(list(groups), by_locality=False):
        found[each.priority] = found.get(each.priority, 0) + share
    return {priority: round(share, 3) for priority, share in found.items()}


@pytest.mark.parametrize(
    ("first", "second", "shares"),
    [
        ((4, 0), (4, 0), {0: 1.0}),
        # 72 percent of the first, times 1.4, is enough.
        ((72, 28), (4, 0), {0: 1.0}),
        ((2, 2), (4, 0), {0: 0.7, 1: 0.3}),
        ((0, 4), (4, 0), {1: 1.0}),
        # Too little of both: what there is is scaled.
        ((1, 3), (1, 3), {0: 0.5, 1: 0.5}),
        ((0, 4), (0, 4), {}),
    ],
)
def test_what_one_priority_lacks_falls_to_the_next(
    first: tuple[int, int], second: tuple[int, int], shares: dict[int, float]
) -> None:
    assert by_priority(group(0, *first), group(1, *second)) == shares


def test_places_by_their_weights_and_health() -> None:
    groups = [
        group(0, 2, region="eu", weight=80),
        group(0, 1, region="us", weight=20),
        group(0, 1, region="asia"),
    ]
    shares = {each.locality.region: share for each, _, share in spread(groups, by_locality=True)}
    assert shares == {"eu": 0.4, "us": 0.2}
    groups[0] = group(0, 0, 2, region="eu", weight=80)
    assert [each.locality.region for each, _, _ in spread(groups, by_locality=True)] == ["us"]


def test_without_locality_weights_only_endpoints_count() -> None:
    groups = [group(0, 3, region="eu", weight=1), group(0, 1, region="us", weight=100)]
    assert [share for _, _, share in spread(groups, by_locality=False)] == [0.25] * 4
