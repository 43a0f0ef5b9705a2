"""Metrics of handlers and the instances that they are of: whether those are there, measure something, and have the
dimensions that are named."""

from collections.abc import Iterator

from proa.core.attributes.value_types import ValueType
from proa.core.config.analyze.message import Message
from proa.core.config.mixer.own_parameters import Influxdb, InfluxMetric, Otlp, OtlpMetric
from proa.core.config.mixer.parameters import Adapter, Prometheus, PrometheusMetric
from proa.core.config.mixer.references import canonical
from proa.core.config.mixer.reporting_faults import plain_name
from proa.core.config.mixer.templates import Metric
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.tree import shorten
from proa.core.mixer.plan.compiling import Compiled
from proa.core.model.names import ObjectRef

_Measured = PrometheusMetric | InfluxMetric | OtlpMetric
_NUMBERS = (ValueType.INT64, ValueType.DOUBLE, ValueType.DURATION)


def check_series(compiled: Compiled) -> Iterator[Message]:
    instances = {
        canonical(ref): shaped.fields
        for ref, (_, shaped) in compiled.objects.instances.items()
        if isinstance(shaped.fields, Metric)
    }
    for ref, (_, configured) in compiled.objects.handlers.items():
        for index, metric in enumerate(_metrics(configured.parameters)):
            at = (*configured.path, "metrics", index)
            instance = instances.get(metric.instance_name)
            if instance is None:
                near = suggestion(metric.instance_name, instances)
                hint = near or "; write name.metric.namespace of one that is there"
                text = f'there is no metric "{shorten(metric.instance_name)}"{hint}'
                yield Message(ref, (*at, "instanceName"), "mixer-limit-unused", text)
                continue
            yield from _check_names(metric, instance, ref, at)
            plan = compiled.plan.instances.get(metric.instance_name)
            value = plan.types.get("value") if plan else None
            if value is not None and value not in _NUMBERS:
                text = f"{metric.instance_name} has a value of type {value}, which cannot be counted"
                yield Message(ref, (*at, "instanceName"), "mixer-labels-differ", text)


def _metrics(parameters: Adapter) -> tuple[_Measured, ...]:
    match parameters:
        case Prometheus() | Influxdb() | Otlp():
            return parameters.metrics
        case _:
            return ()


def _check_names(metric: _Measured, instance: Metric, ref: ObjectRef, at: Path) -> Iterator[Message]:
    """Prometheus' labels are all that a series has; elsewhere dimensions are chosen from those that there are."""
    if isinstance(metric, PrometheusMetric):
        labels = {plain_name(label) for label in metric.label_names}
        odd = labels ^ {plain_name(name) for name in instance.dimensions}
        field = "labelNames"
    else:
        odd = set(metric.dimensions) - set(instance.dimensions)
        field = "dimensions"
    if odd:
        text = f"labels and dimensions of {metric.instance_name} differ: {', '.join(sorted(odd))}"
        yield Message(ref, (*at, field), "mixer-labels-differ", text)
