"""Locality as users write it: `localityLbSetting` of DestinationRules and mesh settings, and a service's annotation.

It stands beside the kinds because several read it. What makes sense is judged here; callers are their validators.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from immutables import Map

from proa.core.config.labels import is_label_key, is_label_value
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Record, Within
from proa.core.config.tree import shorten
from proa.core.model.locality import LocalitySetting, Shares, TrafficDistribution

MAX_TIERS: Final = 24
"""Labels of `failoverPriority`: with four tiers of distance in each, Envoy's 128 priorities are enough."""
PLACE_LABELS: Final = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
)
LEVELS: Final = 3
WHOLE: Final = 100

DISTRIBUTION_ANNOTATION: Final = "networking.istio.io/traffic-distribution"
_DISTRIBUTIONS: Final[Mapping[str, TrafficDistribution]] = MappingProxyType(
    {"PreferClose": "PreferSameZone", "PreferSameZone": "PreferSameZone"}
)
"""By what an annotation says; the first is the older name."""

SharePercent = Annotated[int, Within(1, 100)]


class Distribute(Record, frozen=True, kw_only=True):
    origin: str = msgspec.field(default="", name="from")
    to: Map[str, SharePercent] = Map()


class Failover(Record, frozen=True, kw_only=True):
    """Regions."""

    origin: str = msgspec.field(default="", name="from")
    to: str = ""


class LocalityLbSetting(Record, frozen=True, kw_only=True):
    distribute: tuple[Distribute, ...] = ()
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    enabled: bool | None = None


def locality_setting(spec: LocalityLbSetting) -> LocalitySetting:
    """What it says, in the model's words."""
    return LocalitySetting(
        enabled=spec.enabled is not False,
        shares=tuple(
            Shares(origin=each.origin, to=tuple(sorted(each.to.items()))) for each in spec.distribute
        ),
        failover=tuple((each.origin, each.to) for each in spec.failover),
        priority=spec.failover_priority,
    )


def distribution_of(annotations: Mapping[str, str]) -> TrafficDistribution:
    """What a service's annotation says of nearness."""
    return _DISTRIBUTIONS.get(annotations.get(DISTRIBUTION_ANNOTATION, ""), "")


def check_distribution(annotations: Mapping[str, str]) -> Iterator[Finding]:
    said = annotations.get(DISTRIBUTION_ANNOTATION)
    if said is None or said in _DISTRIBUTIONS:
        return
    at: Path = ("metadata", "annotations", DISTRIBUTION_ANNOTATION)
    words = " or ".join(_DISTRIBUTIONS)
    if said == "PreferSameNode":
        yield Finding(at, "not-supported-yet", f"{said} is not supported yet; write {words}")
    else:
        yield Finding(at, "bad-value", f'"{shorten(said)}" is no traffic distribution; write {words}')


def check_locality(spec: LocalityLbSetting, at: Path, *, ejects: bool) -> Iterator[Finding]:
    """`ejects`: whether the policy around has outlierDetection, without which Istio's failover does nothing."""
    if spec.distribute and (spec.failover or spec.failover_priority):
        other = "failover" if spec.failover else "failoverPriority"
        yield Finding(at, "conflict", f"distribute and {other} exclude each other; keep one")
    named = {text.partition("=")[0] for text in spec.failover_priority}
    if spec.failover and (both := sorted(named & set(PLACE_LABELS))):
        message = f"failover orders by place already; remove it, or {both[0]}"
        yield Finding((*at, "failoverPriority"), "conflict", message)
    yield from _check_origins(spec.distribute, (*at, "distribute"))
    for index, each in enumerate(spec.distribute):
        yield from _check_shares(each.to, (*at, "distribute", index, "to"))
    yield from _check_failover(spec.failover, (*at, "failover"))
    yield from _check_priority(spec.failover_priority, (*at, "failoverPriority"))
    for name, said in (("failover", spec.failover), ("failoverPriority", spec.failover_priority)):
        if said and not ejects and spec.enabled is not False:
            message = (
                "does nothing without outlierDetection beside it, by which an endpoint is found bad; add it"
            )
            yield warning((*at, name), "no-effect", f"{name} {message}")


def _check_origins(spec: tuple[Distribute, ...], at: Path) -> Iterator[Finding]:
    yield from _check_places(((*at, index, "from"), each.origin) for index, each in enumerate(spec))


def _check_shares(to: Mapping[str, int], at: Path) -> Iterator[Finding]:
    total = sum(to.values())
    if total != WHOLE:
        yield Finding(at, "bad-value", f"the shares come to {total}; they must come to {WHOLE}")
    yield from _check_places(((*at, text), text) for text in sorted(to))  # a Map has no order


def _check_places(texts: Iterable[tuple[Path, str]]) -> Iterator[Finding]:
    """Patterns of one list, which must not overlap: no place may be meant twice."""
    seen: list[str] = []
    for at, text in texts:
        parts = text.split("/")
        if "*" in text[:-1] or (text.endswith("*") and parts[-1] != "*"):
            message = f'"{shorten(text)}": * stands for a whole part, and only for the last; write it so'
            yield Finding(at, "bad-value", message)
        elif len(parts) > LEVELS or not all(parts):
            message = f'"{shorten(text)}" is no place; write region, region/zone or region/zone/subzone'
            yield Finding(at, "bad-value", message)
        elif other := next((known for known in seen if _overlap(known, text)), None):
            message = f'"{shorten(text)}" and "{shorten(other)}" mean some places both; keep one'
            yield Finding(at, "conflict", message)
        else:
            seen.append(text)


def _overlap(one: str, other: str) -> bool:
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return all(left == right or "*" in (left, right) for left, right in pairs)


def _check_failover(spec: tuple[Failover, ...], at: Path) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, each in enumerate(spec):
        for name, text in (("from", each.origin), ("to", each.to)):
            if not text or "/" in text or "*" in text:
                message = f'"{shorten(text)}" is no region; failover goes from one region to another'
                yield Finding((*at, index, name), "bad-value", message)
        if each.origin == each.to:
            message = "from and to are the same region; name another"
            yield Finding((*at, index), "bad-value", message)
        if each.origin in seen:
            message = f'"{shorten(each.origin)}" has a failover already, which counts; keep one'
            yield warning((*at, index, "from"), "no-effect", message)
        seen.add(each.origin)


def _check_priority(labels: tuple[str, ...], at: Path) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, text in enumerate(labels):
        name, _, value = text.partition("=")
        if not is_label_key(name) or not is_label_value(value):
            message = f'"{shorten(text)}" is no label; write its name, or name=value'
            yield Finding((*at, index), "bad-value", message)
        elif name in seen:
            yield Finding((*at, index), "duplicate", f'the label "{name}" is there already; remove one')
        seen.add(name)
    if len(labels) > MAX_TIERS:
        yield Finding(at, "out-of-range", f"{len(labels)} labels are too many; write {MAX_TIERS} at most")
