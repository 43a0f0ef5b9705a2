import pytest
from immutables import Map

from proa.adapters.policy.influxdb.points import Points
from proa.core.attributes.value_types import Span, Value
from proa.core.config.mixer.own_parameters import Influxdb, InfluxMetric
from proa.core.mixer.templates import Field, Instance

NOW = 1_537_044_396_009_801_999


def metric(value: Value, name: str = "requests", **dimensions: Field) -> Instance:
    fields: dict[str, Field] = {"value": value, "dimensions": Map(dimensions)}
    return Instance(name=f"{name}.metric.default", template="metric", fields=Map(fields))


def lines(points: Points) -> list[str]:
    return [line for batch in points.drain() for line in batch.body.decode().splitlines()]


def test_values_of_a_series_add_up_to_one_point() -> None:
    points = Points(Influxdb(), lambda: NOW)
    for value in (Span(20_000_000), Span(500_000_000), "3.5"):
        assert points.add(metric(value, app="shop", code=200, labels=Map(b="2", a="1"))) == ""
    assert points.add(metric(1, app="")) == ""
    assert lines(points) == [
        'requests,app=shop,code=200,labels={"a":"1"\\,"b":"2"} value=4.02,count=3i,min=0.02,max=3.5 '
        + str(NOW),
        f"requests value=1,count=1i,min=1,max=1 {NOW}",
    ]
    assert lines(points) == []


def test_parameters_say_measurement_and_tags() -> None:
    parameters = Influxdb(
        tags=Map(mesh="eu", app="nobody"),
        metrics=(
            InfluxMetric(
                instance_name="requests.metric.default",
                measurement="http requests",
                dimensions=("app", "odd"),
            ),
        ),
    )
    points = Points(parameters, lambda: NOW)
    points.add(metric(1, app="shop", code=200))
    points.add(metric(2, app="shop", code=404))
    assert lines(points) == [f"http\\ requests,app=shop,mesh=eu value=3,count=2i,min=1,max=2 {NOW}"]


@pytest.mark.parametrize(
    ("precision", "time"), [("ns", NOW), ("us", NOW // 1000), ("ms", NOW // 10**6), ("s", NOW // 10**9)]
)
def test_times_grow_by_a_unit_at_least(precision: str, time: int) -> None:
    """Two points of a series at one time would be one: the second would take the place of the first."""
    points = Points(Influxdb(precision=precision), lambda: NOW)  # type: ignore[arg-type]
    told = []
    for _ in range(3):
        points.add(metric(1))
        told += [int(line.rpartition(" ")[2]) for line in lines(points)]
    assert told == [time, time + 1, time + 2]


def test_batches_are_no_larger_and_know_their_values() -> None:
    points = Points(Influxdb(batch_size=2), lambda: NOW)
    for app in "abcab":
        points.add(metric(1, app=app))
    batches = list(points.drain())
    assert [(batch.body.count(b"\n"), batch.values) for batch in batches] == [(2, 4), (1, 1)]
    assert len({line.rpartition(b" ")[2] for batch in batches for line in batch.body.splitlines()}) == 1


def test_there_are_so_many_series_and_no_more_until_they_are_drained() -> None:
    points = Points(Influxdb(), lambda: NOW, most_series=2)
    assert [points.add(metric(1, app=app)) for app in "abca"] == ["", "", "series", ""]
    assert points.add(metric("many", app="a")) == "value"
    assert len(lines(points)) == 2
    assert points.add(metric(1, app="c")) == ""
