"""What the parameters of a metric define: its name, labels and buckets, as Mixer made them of the same words."""

from typing import Final

import msgspec

from proa.core.config.mixer.parameters import PrometheusMetric
from proa.core.config.mixer.reporting_faults import plain_name
from proa.core.mixer.buckets import bounds_of

NAMESPACE: Final = "istio"
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
