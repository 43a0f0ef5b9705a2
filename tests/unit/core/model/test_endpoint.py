"""Endpoint sets know no order of arrival."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.model.endpoint import build_endpoint_set
from proa.testing.builders import endpoint

MEMBERS = [endpoint(f"10.0.0.{each}", service_port=port) for each in (1, 2, 10) for port in (80, 9080)]


@given(st.permutations(MEMBERS))
def test_the_order_of_arrival_does_not_matter(members: list[object]) -> None:
    assert build_endpoint_set(tuple(members)) == build_endpoint_set(tuple(MEMBERS))  # type: ignore[arg-type]


def test_a_fact_that_differs_makes_another_set() -> None:
    sets = [build_endpoint_set((endpoint(health=health),)) for health in ("HEALTHY", "DRAINING")]
    assert sets[0].digest != sets[1].digest


def test_labels() -> None:
    assert endpoint(labels={"a": "1", "b": "2"}).has_labels(Map(a="1"))
    assert not endpoint().has_labels(Map(a="1"))
    assert endpoint().has_labels(Map())


@pytest.mark.parametrize(
    ("address", "is_named"),
    [
        ("10.0.0.1", False),
        ("::1", False),
        ("unix:///tmp/a.sock", False),
        ("unix://@a", False),
        ("a", True),
        ("1.example.com", True),
        ("y.example.com.", True),
        ("", False),
    ],
)
def test_names_are_told_from_addresses(address: str, is_named: bool) -> None:
    assert endpoint(address).is_named is is_named
