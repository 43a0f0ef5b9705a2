"""Which adapters there are: their parameters, the templates they take, and whether they run here.

Validators read handlers by it, plans refuse what does not run. The twenty of 2018 and ours are built in; whoever
installs others hands in a Catalogue that has them too, so that nobody below has a list of his own.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.config.mixer import own_parameters, parameters
from proa.core.config.mixer.parameter_faults import parameter_faults
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

Faults = Callable[[parameters.Adapter, Path], Iterator[Finding]]

ENTRY_POINTS: Final = "proa.mixer_adapters"
"""The group of entry points by which a package brings an adapter."""


def no_faults(_parameters: parameters.Adapter, _at: Path) -> Iterator[Finding]:
    """Of an adapter whose parameters mean what their types say."""
    yield from ()


READABLE: Final = frozenset(("ServiceRole", "ServiceRoleBinding"))
"""Kinds of objects beside Mixer's own that handlers may be made of."""


class AdapterKind(msgspec.Struct, frozen=True, kw_only=True):
    """`templates` that it takes instances of; `parameters` is the schema of its handlers, `faults` what is wrong with
    one beyond that. `reads`: kinds of objects that its handlers are given, all that are in force; of those in
    `READABLE`. `missing`: why it does not run here and what to do; "" when it does."""

    name: str
    templates: tuple[str, ...]
    parameters: type[parameters.Adapter]
    faults: Faults = no_faults
    reads: tuple[str, ...] = ()
    missing: str = ""

    @property
    def runs(self) -> bool:
        return not self.missing


class Catalogue(msgspec.Struct, frozen=True):
    """By the adapter's name, which is also the kind of its handlers."""

    adapters: Map[str, AdapterKind]

    def find(self, name: str) -> AdapterKind | None:
        return self.adapters.get(name)

    def with_adapters(self, installed: Iterable[AdapterKind]) -> "Catalogue":
        """An installed one takes the place of a built-in one of its name, as long as that does not run."""
        adapters = dict(self.adapters)
        for kind in sorted(installed, key=lambda kind: kind.name):
            known = adapters.get(kind.name)
            if known is None or not known.runs:
                adapters[kind.name] = kind
        return Catalogue(Map(adapters))

    def unknown(self, name: str) -> str:
        """What to tell somebody who names an adapter that is not in it."""
        near = suggestion(name, self.adapters)
        return f'there is no adapter "{shorten(name)}"{near or "; install the package that brings it"}'


RUNS: Final = ""
NOT_YET: Final = "Proa does not run this adapter yet"


def _closed(owner: str) -> str:
    return f"it speaks to {owner} alone, and needs a package that brings such an adapter"


def _not_without(what: str) -> str:
    return f"it needs {what}, and a package that brings such an adapter"


def _built_in(
    name: str,
    templates: str,
    schema: type[parameters.Adapter],
    missing: str = NOT_YET,
    reads: tuple[str, ...] = (),
) -> AdapterKind:
    return AdapterKind(
        name=name,
        templates=tuple(templates.split()),
        parameters=schema,
        faults=parameter_faults,
        reads=reads,
        missing=missing,
    )


_ALL: Final = "authorization checknothing listentry logentry metric quota reportnothing tracespan"
_ROWS: Final = (
    _built_in(
        "bypass", "checknothing reportnothing metric quota", parameters.Bypass, _not_without("a back end")
    ),
    _built_in("circonus", "metric", parameters.Circonus, _closed("Circonus")),
    _built_in("cloudwatch", "metric logentry", parameters.CloudWatch, _closed("Amazon CloudWatch")),
    _built_in("denier", "checknothing listentry quota", parameters.Denier, RUNS),
    _built_in("dogstatsd", "metric", parameters.Dogstatsd),
    _built_in("fluentd", "logentry", parameters.Fluentd),
    _built_in("kubernetesenv", "kubernetes", parameters.KubernetesEnv),
    _built_in("listchecker", "listentry", parameters.ListChecker, RUNS),
    _built_in("memquota", "quota", parameters.MemQuota, RUNS),
    _built_in("noop", _ALL, parameters.Noop, RUNS),
    _built_in("opa", "authorization", parameters.Opa, _not_without("an interpreter of Rego")),
    _built_in("prometheus", "metric", parameters.Prometheus, RUNS),
    _built_in("rbac", "authorization", parameters.Rbac, RUNS, ("ServiceRole", "ServiceRoleBinding")),
    _built_in("redisquota", "quota", parameters.RedisQuota, RUNS),
    _built_in(
        "servicecontrol",
        "apikey servicecontrolreport quota",
        parameters.ServiceControl,
        _closed("Google Service Control"),
    ),
    _built_in("signalfx", "metric", parameters.SignalFx, _closed("SignalFx")),
    _built_in(
        "solarwinds",
        "metric logentry",
        parameters.SolarWinds,
        _closed("SolarWinds' AppOptics and Papertrail"),
    ),
    _built_in(
        "stackdriver", "metric logentry tracespan edge", parameters.Stackdriver, _closed("Google Stackdriver")
    ),
    _built_in("statsd", "metric", parameters.Statsd),
    _built_in("stdio", "logentry metric", parameters.Stdio, RUNS),
)
_OWN_ROWS: Final = (
    _built_in("influxdb", "metric", own_parameters.Influxdb, RUNS),
    _built_in("otlp", "logentry metric tracespan", own_parameters.Otlp, RUNS),
    _built_in("zipkin", "tracespan", own_parameters.Zipkin, RUNS),
)

BUILT_IN: Final = Catalogue(Map({row.name: row for row in (*_ROWS, *_OWN_ROWS)}))
"""The twenty adapters of Mixer 1.0, and those that are ours."""
