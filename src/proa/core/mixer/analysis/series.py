"""Metrics of the prometheus adapter and the instances that they are of: a series has one value for each of its labels,
which the instance's dimensions must be."""

from collections.abc import Iterator

from proa.core.attributes.value_types import ValueType
from proa.core.config.analyze.message import Message
from proa.core.config.mixer.parameters import Prometheus
from proa.core.config.mixer.references import canonical
from proa.core.config.mixer.reporting_faults import plain_name
from proa.core.config.mixer.templates import Metric
from proa.core.config.near_names import suggestion
from proa.core.config.tree import shorten
from proa.core.mixer.plan.compiling import Compiled

_NUMBERS = (ValueType.INT64, ValueType.DOUBLE, ValueType.DURATION)


def check_series(compiled: Compiled) -> Iterator[Message]:
    objects = compiled.objects
    instances = {
        canonical(ref): shaped.fields
        for ref, (_, shaped) in objects.instances.items()
        if isinstance(shaped.fields, Metric)
    }
    for ref, (_, configured) in objects.handlers.items():
        spec = configured.parameters
        for index, metric in enumerate(spec.metrics if isinstance(spec, Prometheus) else ()):
            at = (*configured.path, "metrics", index)
            instance = instances.get(metric.instance_name)
            if instance is None:
                near = suggestion(metric.instance_name, instances)
                hint = near or "; write name.metric.namespace of one that is there"
                text = f'there is no metric "{shorten(metric.instance_name)}"{hint}'
                yield Message(ref, (*at, "instanceName"), "mixer-limit-unused", text)
                continue
            labels = {plain_name(label) for label in metric.label_names}
            dimensions = {plain_name(name) for name in instance.dimensions}
            if labels != dimensions:
                odd = ", ".join(sorted(labels ^ dimensions))
                text = f"labels and dimensions of {metric.instance_name} differ: {odd}"
                yield Message(ref, (*at, "labelNames"), "mixer-labels-differ", text)
            plan = compiled.plan.instances.get(metric.instance_name)
            value = plan.types.get("value") if plan else None
            if value is not None and value not in _NUMBERS:
                text = f"{metric.instance_name} has a value of type {value}, which cannot be counted"
                yield Message(ref, (*at, "instanceName"), "mixer-labels-differ", text)
