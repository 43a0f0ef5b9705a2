import pytest

from proa.core.config.mixer.parameters import Buckets, ExplicitBuckets, ExponentialBuckets, LinearBuckets
from proa.core.mixer.buckets import BOUNDS, bounds_of


@pytest.mark.parametrize(
    ("buckets", "bounds"),
    [
        (None, BOUNDS),
        (Buckets(linear_buckets=LinearBuckets(num_finite_buckets=3, width=5, offset=10)), (10, 15, 20, 25)),
        (
            Buckets(exponential_buckets=ExponentialBuckets(num_finite_buckets=8, scale=1, growth_factor=10)),
            tuple(10.0**power for power in range(9)),
        ),
        (Buckets(explicit_buckets=ExplicitBuckets(bounds=(0.5, 2.0))), (0.5, 2.0)),
    ],
)
def test_finite_buckets_have_a_bound_more(buckets: Buckets | None, bounds: tuple[float, ...]) -> None:
    assert bounds_of(buckets) == bounds
