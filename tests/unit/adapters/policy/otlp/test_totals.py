from immutables import Map
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from proa.adapters.policy.otlp.totals import Totals
from proa.core.attributes.value_types import Span, Value
from proa.core.config.mixer.own_parameters import Otlp, OtlpMetric
from proa.core.config.mixer.parameters import Buckets, ExplicitBuckets
from proa.core.mixer.templates import Field, Instance
from tests.otlp_receivers import attributes

TOTALS = 2


def metric(value: Value, name: str = "requests", **dimensions: Field) -> Instance:
    fields: dict[str, Field] = {"value": value, "dimensions": Map(dimensions)}
    return Instance(name=f"{name}.metric.default", template="metric", fields=Map(fields))


def told(totals: Totals) -> dict[str, Metric]:
    return {metric.name: metric for metric in totals.metrics(totals.changed(), 9)}


def test_numbers_are_sums_since_the_beginning() -> None:
    totals = Totals(Otlp(), since=5)
    for value in (1, "2.5"):
        assert totals.add(metric(value, app="shop", code=200)) == ""
    totals.add(metric(1, app="shop", code="200"))
    made = told(totals)["requests"]
    assert (made.sum.is_monotonic, made.sum.aggregation_temporality) == (True, TOTALS)
    points = {str(attributes(point.attributes)): point.as_double for point in made.sum.data_points}
    assert points == {"{'app': 'shop', 'code': 200}": 3.5, "{'app': 'shop', 'code': '200'}": 1}
    assert {(point.start_time_unix_nano, point.time_unix_nano) for point in made.sum.data_points} == {(5, 9)}
    assert told(totals) == {}
    totals.add(metric(1, app="shop", code=200))
    (point,) = told(totals)["requests"].sum.data_points
    assert point.as_double == 4.5


def test_durations_are_distributions_of_seconds() -> None:
    totals = Totals(Otlp(), since=5)
    for milliseconds in (5, 30, 20_000):
        totals.add(metric(Span(milliseconds * 1_000_000), "latency"))
    made = told(totals)["latency"]
    (point,) = made.histogram.data_points
    assert (made.unit, made.histogram.aggregation_temporality) == ("s", TOTALS)
    assert (point.count, point.sum) == (3, 20.035)
    assert list(point.explicit_bounds)[:4] == [0.005, 0.01, 0.025, 0.05]
    assert list(point.bucket_counts) == [1, 0, 0, 1, *[0] * 7, 1]


def test_parameters_say_otherwise() -> None:
    parameters = Otlp(
        metrics=(
            OtlpMetric(
                instance_name="requests.metric.default",
                name="http.requests",
                description="Of all kinds",
                unit="{request}",
                kind="GAUGE",
                dimensions=("app", "odd"),
            ),
            OtlpMetric(
                instance_name="size.metric.default",
                kind="DISTRIBUTION",
                buckets=Buckets(explicit_buckets=ExplicitBuckets(bounds=(1.0, 10.0))),
            ),
        )
    )
    totals = Totals(parameters, since=5)
    for value in (7, -3):
        totals.add(metric(value, app="shop", code=value))
    totals.add(metric(10, "size"))
    found = told(totals)
    made = found["http.requests"]
    assert (made.unit, made.description) == ("{request}", "Of all kinds")
    (point,) = made.gauge.data_points
    assert (point.as_double, attributes(point.attributes)) == (-3, {"app": "shop"})
    assert list(found["size"].histogram.data_points[0].bucket_counts) == [0, 1, 0]


def test_what_cannot_be_counted_and_what_is_too_much() -> None:
    totals = Totals(Otlp(), since=5, most_series=2)
    assert [totals.add(metric(1, app=app)) for app in "abca"] == ["", "", "too_many_series", ""]
    assert [totals.add(metric(value)) for value in ("many", -1, True)] == ["no_number"] * 3


def test_what_was_not_told_is_told_next_time() -> None:
    totals = Totals(Otlp(), since=5)
    totals.add(metric(1))
    (total,) = totals.changed()
    assert (total.untold, totals.changed()) == (1, [])
    total.untold = 0
    totals.untold([(total, 1)])
    assert totals.changed() == [total]
    assert total.untold == 1
