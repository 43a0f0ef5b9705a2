"""Bounds of distributions as their parameters say them: what adapters of metrics share."""

from typing import Final

from proa.core.config.mixer.parameters import Buckets

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of a distribution that says none."""


def bounds_of(buckets: Buckets | None) -> tuple[float, ...]:
    """Each bucket's upper bound, which is in it; above the last is one without. One more than there are finite buckets:
    below the first bound is no bucket of theirs."""
    if buckets is None:
        return BOUNDS
    if (linear := buckets.linear_buckets) is not None:
        return tuple(linear.offset + linear.width * step for step in range(linear.num_finite_buckets + 1))
    if (exponential := buckets.exponential_buckets) is not None:
        steps = range(exponential.num_finite_buckets + 1)
        return tuple(exponential.scale * exponential.growth_factor**step for step in steps)
    return buckets.explicit_buckets.bounds if buckets.explicit_buckets is not None else BOUNDS
