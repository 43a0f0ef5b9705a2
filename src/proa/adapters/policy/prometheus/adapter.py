"""prometheus as an adapter: its parameters to metrics, its reports to their series.

A page shows what all handlers count (`stock`). Nothing here waits for anybody.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from immutables import Map

from proa.adapters.policy.prometheus.definitions import definition_of
from proa.adapters.policy.prometheus.stock import Shared, Stock
from proa.core.attributes.value_types import ValueType
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import ExpirationPolicy, Prometheus
from proa.core.config.mixer.reporting_faults import plain_name
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Field, Instance, flat_text, number_of
from proa.ports.policy_adapter import PolicyHandler

_DIMENSIONS: Final = "dimensions."
_NO_DIMENSIONS: Final[Map[str, Field]] = Map()


class PrometheusAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["prometheus"], missing="")

    def __init__(self, stock: Stock | None = None) -> None:
        self._stock = stock or Stock()

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        parameters = handler.parameters
        assert isinstance(parameters, Prometheus)
        counted: dict[str, list[_Counted]] = {}
        used: list[Shared] = []
        for metric in parameters.metrics:
            shared = self._stock.use(definition_of(metric))
            shared.family.expiry_s = expiry_of(parameters.metrics_expiration_policy)
            used.append(shared)
            names = _names(shared.family.definition.labels, handler.instances.get(metric.instance_name))
            counted.setdefault(metric.instance_name, []).append(_Counted(shared, names))
        try:
            yield _Handler(self._stock, counted, parameters.metrics_expiration_policy)
        finally:
            for shared in used:
                self._stock.leave(shared)

    def exposition(self) -> Iterator[str]:
        return self._stock.text()


def expiry_of(policy: ExpirationPolicy | None) -> float | None:
    """Seconds; None: never."""
    milliseconds = policy.metrics_expiry_duration if policy is not None else None
    return milliseconds / 1000 if milliseconds else None


def check_interval_of(policy: ExpirationPolicy | None) -> float | None:
    """Seconds between two looks at what has expired: half of the expiry unless it is said."""
    expiry_s = expiry_of(policy)
    if policy is None or expiry_s is None:
        return None
    return (policy.expiry_check_interval_duration or 0) / 1000 or expiry_s / 2


def _names(labels: tuple[str, ...], types: Map[str, ValueType] | None) -> tuple[str, ...]:
    """The dimension of each label, whose name may have been written otherwise; its own where there is none."""
    dimensions = (path[len(_DIMENSIONS) :] for path in types or () if path.startswith(_DIMENSIONS))
    by_label = {plain_name(name): name for name in sorted(dimensions, reverse=True)}
    return tuple(by_label.get(label, label) for label in labels)


class _Counted:
    """A metric of an instance: `dimensions` are the names of the values of its labels, in their order."""

    def __init__(self, shared: Shared, dimensions: tuple[str, ...]) -> None:
        self.family = shared.family
        self.name = shared.family.definition.name
        self._dimensions = dimensions

    def labels(self, instance: Instance) -> tuple[str, ...]:
        """Empty where the instance has no such dimension."""
        found = instance.fields.get("dimensions", _NO_DIMENSIONS)
        assert isinstance(found, Map)
        return tuple(flat_text(found.get(name, "")) for name in self._dimensions)


class _Handler(PolicyHandler):
    def __init__(
        self, stock: Stock, counted: Mapping[str, list[_Counted]], policy: ExpirationPolicy | None
    ) -> None:
        self._stock, self._counted = stock, counted
        self._interval = check_interval_of(policy)
        self._looked = stock.clock()

    async def report(self, instances: tuple[Instance, ...]) -> None:
        """What cannot be counted is told by a metric on the page; the others of the batch are counted."""
        now = self._stock.clock()
        if self._interval is not None and now >= self._looked + self._interval:
            self._looked = now
            for counted in self._counted.values():
                for each in counted:
                    each.family.expire(now)
        for instance in instances:
            metrics = self._counted.get(instance.name)
            if metrics is None:
                self._stock.dropped.add((instance.name, "metric"), 1, now)
                continue
            value = number_of(instance.fields.get("value"))
            for metric in metrics:
                if reason := metric.family.add(metric.labels(instance), value, now):
                    self._stock.dropped.add((metric.name, reason), 1, now)
