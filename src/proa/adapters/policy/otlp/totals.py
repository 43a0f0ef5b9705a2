"""Metrics as OpenTelemetry's, as totals since the handler was opened: a batch that is lost, or sent twice, changes
nothing that the next does not say again. Only series that have changed are told. Bounded by their number.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from proa.adapters.policy.otlp.values import clean, key_values, pairs_of
from proa.core.attributes.value_types import Span
from proa.core.config.mixer.own_parameters import Otlp, OtlpMetric
from proa.core.mixer.buckets import bounds_of
from proa.core.mixer.templates import Field, Instance, flat_text, number_of

MOST_SERIES: Final = 20_000
_TOTALS: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_NOTHING: Final = OtlpMetric()


class Total:
    """A series. `untold`: how many values nobody has been told of."""

    def __init__(self, said: "_Said", attributes: tuple[KeyValue, ...]) -> None:
        self.said, self.attributes = said, attributes
        self.untold = 0
        self.value, self.count = 0.0, 0
        self.counts = [0] * (len(said.bounds) + 1)

    def add(self, value: float) -> None:
        self.value = value if self.said.kind == "GAUGE" else self.value + value
        self.count += 1
        self.untold += 1
        if self.said.kind == "DISTRIBUTION":
            self.counts[bisect_left(self.said.bounds, value)] += 1


class _Said:
    """What the parameters say of an instance's metric, with what they leave out: durations are distributions, all
    others sums."""

    def __init__(self, instance: Instance, metric: OtlpMetric) -> None:
        is_span = isinstance(instance.fields.get("value"), Span)
        unsaid = "DISTRIBUTION" if is_span else "COUNTER"
        self.kind = unsaid if metric.kind == "UNSPECIFIED" else metric.kind
        self.name = clean(metric.name or instance.short_name)
        self.unit = clean(metric.unit or ("s" if is_span else ""))
        self.description = clean(metric.description)
        self.bounds = bounds_of(metric.buckets) if self.kind == "DISTRIBUTION" else ()
        self.dimensions = metric.dimensions


class Totals:
    """Of one handler, opened at `since` (nanoseconds since 1970)."""

    def __init__(self, parameters: Otlp, since: int, most_series: int = MOST_SERIES) -> None:
        self._metrics = {metric.instance_name: metric for metric in parameters.metrics}
        self._since, self._most_series = since, most_series
        self._said: dict[str, _Said] = {}
        self._totals: dict[tuple[str, ...], Total] = {}
        self._changed: dict[int, Total] = {}

    def add(self, instance: Instance) -> str:
        """Why it is not among them; "" when it is."""
        said = self._said.get(instance.name)
        if said is None:
            metric = self._metrics.get(instance.name, _NOTHING)
            said = self._said[instance.name] = _Said(instance, metric)
        value = number_of(instance.fields.get("value"))
        if not math.isfinite(value) or (value < 0 and said.kind == "COUNTER"):
            return "no_number"
        dimensions = pairs_of(instance, "dimensions")
        chosen = [name for name in said.dimensions or sorted(dimensions) if name in dimensions]
        key = (instance.name, *(part for name in chosen for part in (name, _key(dimensions[name]))))
        total = self._totals.get(key)
        if total is None:
            if len(self._totals) >= self._most_series:
                return "too_many_series"
            attributes = tuple(key_values((name, dimensions[name]) for name in chosen))
            total = self._totals[key] = Total(said, attributes)
        total.add(value)
        self._changed[id(total)] = total
        return ""

    def changed(self) -> list[Total]:
        """Those that have been added to since it was asked last."""
        totals, self._changed = list(self._changed.values()), {}
        return totals

    def untold(self, totals: Iterable[tuple[Total, int]]) -> None:
        """They were not told after all, so many values of each: the next time they are."""
        for total, values in totals:
            total.untold += values
            self._changed[id(total)] = total

    def metrics(self, totals: Iterable[Total], now: int) -> Iterator[Metric]:
        """Each metric once, with its series among these."""
        by_metric: dict[int, list[Total]] = {}
        for total in totals:
            by_metric.setdefault(id(total.said), []).append(total)
        for some in by_metric.values():
            yield self._metric(some[0].said, some, now)

    def _metric(self, said: _Said, totals: Iterable[Total], now: int) -> Metric:
        metric = Metric(name=said.name, unit=said.unit, description=said.description)
        if said.kind == "DISTRIBUTION":
            points = (self._histogram(total, now) for total in totals)
            metric.histogram.CopyFrom(Histogram(data_points=points, aggregation_temporality=_TOTALS))
            return metric
        numbers = (
            NumberDataPoint(
                attributes=total.attributes,
                start_time_unix_nano=self._since,
                time_unix_nano=now,
                as_double=total.value,
            )
            for total in totals
        )
        if said.kind == "GAUGE":
            metric.gauge.CopyFrom(Gauge(data_points=numbers))
        else:
            metric.sum.CopyFrom(Sum(data_points=numbers, aggregation_temporality=_TOTALS, is_monotonic=True))
        return metric

    def _histogram(self, total: Total, now: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes=total.attributes,
            start_time_unix_nano=self._since,
            time_unix_nano=now,
            count=total.count,
            sum=total.value,
            bucket_counts=total.counts,
            explicit_bounds=total.said.bounds,
        )


def _key(value: Field) -> str:
    """A text and a number that is written alike are two values."""
    return f"{type(value).__name__} {flat_text(value)}"
