"""The cost of a change is that of what it concerns: what a lost index would break, held without a clock.

Each law compares a mesh with one that is ten times as large in one direction. Benchmark B16 measures the same shapes
as time and memory, over the wire.
"""

from collections.abc import Callable

import msgspec
import pytest

from benchmarks.growth.fit import exponent
from proa.core.model.snapshot import Change
from tests.properties.pilot.growing import (
    Grown,
    Size,
    Work,
    a_service_of_its_own,
    everything,
    one_endpoint_ill,
)

SMALL = Size()


def growth(axis: str, change: Callable[[], Change]) -> tuple[float, Work, Work]:
    """The exponent of steps along an axis, and the work on the small mesh and on the large."""
    size = getattr(SMALL, axis)
    large = msgspec.structs.replace(SMALL, **{axis: size * 10})
    few, many = (Grown(each).work_of(change()) for each in (SMALL, large))
    return exponent({size: few.steps, size * 10: many.steps}), few, many


@pytest.mark.parametrize("axis", ["services", "replicas"])
def test_one_endpoint_rebuilds_its_set_and_writes_to_all_who_hold_it(axis: str) -> None:
    _, few, many = growth(axis, one_endpoint_ill)
    assert few.built == many.built == {"build_endpoints": 1}
    assert few.streams == many.streams == SMALL.proxies


def test_one_endpoint_costs_the_same_in_a_mesh_of_ten_times_the_services() -> None:
    grown, _, _ = growth("services", one_endpoint_ill)
    assert grown <= 0.02


def test_one_endpoint_costs_each_proxy_that_holds_it_and_no_more() -> None:
    grown, few, many = growth("proxies", one_endpoint_ill)
    assert grown <= 1.0
    assert (few.streams, many.streams) == (SMALL.proxies, SMALL.proxies * 10)
    assert few.built == many.built


@pytest.mark.parametrize("axis", ["services", "proxies", "replicas"])
def test_a_service_that_nobody_here_may_see_costs_nobody_here_anything(axis: str) -> None:
    grown, few, many = growth(axis, a_service_of_its_own)
    assert grown <= 0.1
    assert few.streams == many.streams == 0
    assert few.built == many.built == {}


def test_a_change_to_everything_builds_each_thing_once_whoever_shares_it() -> None:
    grown, few, many = growth("proxies", everything)
    assert grown <= 1.0
    assert few.built == many.built == {"build_cluster": SMALL.services}
    grown, few, many = growth("services", everything)
    assert grown <= 1.05
    assert many.built == {"build_cluster": SMALL.services * 10}
    assert few.streams == many.streams == SMALL.proxies


def test_memory_is_the_sum_of_what_is_seen_and_who_sees_it_and_not_their_product() -> None:
    def per_proxy(services: int) -> float:
        few, many = (
            Grown(Size(services=services, proxies=proxies)).distinct_resources() for proxies in (8, 40)
        )
        return (many - few) / 32

    assert per_proxy(8) == per_proxy(80) <= 1
