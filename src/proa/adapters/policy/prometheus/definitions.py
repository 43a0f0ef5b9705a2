"""What the parameters of a metric define: its name, labels and buckets, as Mixer made them of the same words."""

from typing import Final

import msgspec

from proa.core.config.mixer.parameters import Buckets, PrometheusMetric
from proa.core.config.mixer.reporting_faults import plain_name

NAMESPACE: Final = "istio"
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of a distribution that says none."""
_TYPES: Final = {"COUNTER": "counter", "DISTRIBUTION": "histogram"}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """Equal ones are one metric, whichever handlers count it. `labels` in order of their names; `bounds` of a histogram
    alone, the last of all being infinity, which is not in it."""

    name: str
    help: str
    type: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()


def definition_of(metric: PrometheusMetric) -> Definition:
    """Of a metric without faults."""
    name = metric.name or metric.instance_name
    kind = _TYPES.get(metric.kind, "gauge")
    return Definition(
        name=f"{plain_name(metric.namespace) or NAMESPACE}_{plain_name(name)}",
        help=metric.description or name,
        type=kind,
        labels=tuple(sorted({plain_name(label) for label in metric.label_names})),
        bounds=bounds_of(metric.buckets) if kind == "histogram" else (),
    )


def bounds_of(buckets: Buckets | None) -> tuple[float, ...]:
    """One more than there are finite buckets: below the first bound is no bucket of theirs."""
    if buckets is None:
        return BOUNDS
    if (linear := buckets.linear_buckets) is not None:
        return tuple(linear.offset + linear.width * step for step in range(linear.num_finite_buckets + 1))
    if (exponential := buckets.exponential_buckets) is not None:
        steps = range(exponential.num_finite_buckets + 1)
        return tuple(exponential.scale * exponential.growth_factor**step for step in steps)
    return buckets.explicit_buckets.bounds if buckets.explicit_buckets is not None else BOUNDS
