"""What was reported since the last batch: for each series one point, which has the sum of the values, how many they
were, the least and the greatest.

So a server that is away costs time's resolution and no value, and a batch that is sent twice is the same points twice,
which InfluxDB counts once. Bounded by the number of series.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.adapters.policy.influxdb.lines import line, series
from proa.core.config.mixer.own_parameters import Influxdb, InfluxMetric
from proa.core.mixer.templates import Field, Instance, flat_text, number_of

MOST_SERIES: Final = 20_000
BATCH: Final = 5000
_UNITS: Final = {"ns": 1, "us": 1000, "ms": 1_000_000, "s": 1_000_000_000}
_NOTHING: Final = InfluxMetric()


class Batch(msgspec.Struct, frozen=True):
    """`values`: how many reported values are in it."""

    body: bytes
    values: int


class _Point:
    def __init__(self, of: str) -> None:
        self.series = of
        self.sum, self.count, self.least, self.greatest = 0.0, 0, math.inf, -math.inf

    def add(self, value: float) -> None:
        self.sum += value
        self.count += 1
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)

    def line(self, time: int) -> str:
        fields = {"value": self.sum, "count": self.count, "min": self.least, "max": self.greatest}
        return line(self.series, fields, time)


class Points:
    """Of one handler. `now`: nanoseconds since 1970."""

    def __init__(self, parameters: Influxdb, now: Callable[[], int], most_series: int = MOST_SERIES) -> None:
        self._metrics = {metric.instance_name: metric for metric in parameters.metrics}
        self._tags = tuple(parameters.tags.items())
        self._unit = _UNITS[parameters.precision]
        self._batch = parameters.batch_size or BATCH
        self._now, self._most_series = now, most_series
        self._last = 0
        self._points: dict[tuple[str, ...], _Point] = {}

    def add(self, instance: Instance) -> str:
        """Why it is not among them; "" when it is."""
        value = number_of(instance.fields.get("value"))
        if not math.isfinite(value):
            return "value"
        tags = tuple(self._tagged(instance))
        key = (instance.name, *(text for pair in tags for text in pair))
        point = self._points.get(key)
        if point is None:
            if len(self._points) >= self._most_series:
                return "series"
            measurement = self._metrics.get(instance.name, _NOTHING).measurement or instance.short_name
            point = self._points[key] = _Point(
                series(measurement, {**dict(self._tags), **dict(tags)}.items())
            )
        point.add(value)
        return ""

    def drain(self) -> Iterator[Batch]:
        """All of them, in batches; each of them at a time of its own, later than any before."""
        points, self._points = list(self._points.values()), {}
        if points:
            self._last = max(self._last + 1, self._now() // self._unit)
        for start in range(0, len(points), self._batch):
            some = points[start : start + self._batch]
            body = "".join(point.line(self._last) for point in some).encode()
            yield Batch(body, sum(point.count for point in some))

    def _tagged(self, instance: Instance) -> Iterator[tuple[str, str]]:
        found = instance.fields.get("dimensions")
        dimensions: Mapping[str, Field] = found if isinstance(found, Map) else Map()
        for name in self._metrics.get(instance.name, _NOTHING).dimensions or sorted(dimensions):
            if name in dimensions:
                yield name, flat_text(dimensions[name])
