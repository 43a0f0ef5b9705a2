from proa.adapters.policy.prometheus.definitions import Definition, definition_of
from proa.core.config.mixer.parameters import Buckets, ExplicitBuckets, PrometheusMetric
from proa.core.mixer.buckets import BOUNDS


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
