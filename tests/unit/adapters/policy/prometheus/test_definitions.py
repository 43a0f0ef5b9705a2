import pytest

from proa.adapters.policy.prometheus.definitions import BOUNDS, Definition, bounds_of, definition_of
from proa.core.config.mixer.parameters import (
    Buckets,
    ExplicitBuckets,
    ExponentialBuckets,
    LinearBuckets,
    PrometheusMetric,
)


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


def test_names_are_made_as_mixer_made_them() -> None:
    metric = PrometheusMetric(
        namespace="/my shop.eu",
        name="request-count",
        instance_name="a.metric.b",
        kind="COUNTER",
        label_names=("source.app", "code"),
        buckets=Buckets(explicit_buckets=ExplicitBuckets(bounds=(1.0,))),
    )
    assert definition_of(metric) == Definition(
        name="my_shop_eu_requestcount", help="request-count", type="counter", labels=("code", "source_app")
    )


def test_what_is_not_said() -> None:
    metric = PrometheusMetric(instance_name="a.metric.b", kind="DISTRIBUTION", description="Time")
    assert definition_of(metric) == Definition(
        name="istio_a_metric_b", help="Time", type="histogram", labels=(), bounds=BOUNDS
    )
    assert definition_of(PrometheusMetric(instance_name="a", kind="GAUGE")).type == "gauge"
