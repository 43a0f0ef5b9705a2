"""The adapters of this installation: ours, and those that packages bring by entry points.

A package that cannot be loaded is told of and left out: it must not keep the mesh from starting, nor files from being
read.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

import msgspec

from proa.adapters.policy.denier.adapter import DenierAdapter
from proa.adapters.policy.influxdb.adapter import InfluxdbAdapter
from proa.adapters.policy.listchecker.adapter import ListCheckerAdapter
from proa.adapters.policy.memquota.adapter import MemQuotaAdapter
from proa.adapters.policy.noop.adapter import NoopAdapter
from proa.adapters.policy.otlp.adapter import OtlpAdapter
from proa.adapters.policy.prometheus.adapter import PrometheusAdapter
from proa.adapters.policy.rbac.adapter import RbacAdapter
from proa.adapters.policy.redisquota.adapter import RedisQuotaAdapter
from proa.adapters.policy.stdio.adapter import StdioAdapter
from proa.adapters.policy.zipkin.adapter import ZipkinAdapter
from proa.core.config.mixer.catalogue import BUILT_IN, ENTRY_POINTS, AdapterKind, Catalogue
from proa.ports.policy_adapter import Exposing, PolicyAdapter

OURS: tuple[PolicyAdapter, ...] = (
    DenierAdapter(),
    InfluxdbAdapter(),
    ListCheckerAdapter(),
    MemQuotaAdapter(),
    NoopAdapter(),
    OtlpAdapter(),
    PrometheusAdapter(),
    RbacAdapter(),
    RedisQuotaAdapter(),
    StdioAdapter(),
    ZipkinAdapter(),
)


class Installed(msgspec.Struct, frozen=True):
    """`adapters` that can be opened, by name. `catalogue` has those and the ones that do not run here; `faults` are for
    people: what could not be loaded and why."""

    adapters: Mapping[str, PolicyAdapter]
    catalogue: Catalogue
    faults: tuple[str, ...] = ()

    def exposition(self) -> Iterator[str]:
        """The page for scrapers: what the adapters that have a part of it show now."""
        for _, adapter in sorted(self.adapters.items()):
            if isinstance(adapter, Exposing):
                yield from adapter.exposition()


def installed(found: Iterable[EntryPoint] | None = None) -> Installed:
    """`found`: those of this Python unless they are given. Of two adapters of a name ours counts, then the first."""
    faults: list[str] = []
    adapters = {adapter.kind.name: adapter for adapter in OURS}
    points = entry_points(group=ENTRY_POINTS) if found is None else found
    for point in sorted(points, key=lambda each: (each.name, each.value)):
        adapter = _load(point, faults)
        if adapter is not None and adapters.setdefault(adapter.kind.name, adapter) is not adapter:
            faults.append(f"adapter {point.name} of {point.value}: there is one of the name already")
    catalogue = BUILT_IN.with_adapters(adapter.kind for adapter in adapters.values())
    return Installed(adapters, catalogue, tuple(faults))


def _load(point: EntryPoint, faults: list[str]) -> PolicyAdapter | None:
    """Whatever a foreign package raises when it is imported is its fault, and is named."""
    try:
        loaded = point.load()
        adapter: PolicyAdapter = loaded() if isinstance(loaded, type) else loaded
        kind = adapter.kind
        if not isinstance(kind, AdapterKind) or not kind.runs or not callable(adapter.open):
            raise TypeError("it has no kind that runs, or nothing to open")
    except Exception as error:
        faults.append(f"adapter {point.name} of {point.value} cannot be used: {error}")
        return None
    return adapter
