"""What a proxy is to tell of its traffic: the mesh's settings, as the Telemetries in force for its workload leave them.

Of the root namespace, of the workload's own, and of those that pick the workload, the oldest each; the narrower one
counts, field by field. Reads only what the index names.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from proa.core.auth.authorization.in_force import wears
from proa.core.config.config import Config
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL
from proa.core.config.kinds.telemetry import schema
from proa.core.config.kinds.telemetry.schema import Telemetry
from proa.core.model.metering import METRICS, Metering, Metric, Series
from proa.core.model.names import ObjectRef
from proa.core.model.notes import Note
from proa.core.model.settings import (
    AccessLog,
    Handling,
    LogSink,
    MeshSettings,
    Observed,
    Reporting,
    SpanTag,
    TelemetryProvider,
    Tracing,
    ZipkinTracer,
)
from proa.core.model.snapshot import ConfigValue
from proa.core.model.workload import Workload
from proa.core.pilot.scope.index import RuleIndex

PROMETHEUS: Final = "prometheus"
ENVOY: Final = "envoy"
"""Providers that every mesh has: the metrics, and the access log as the mesh's settings have it."""
_METRICS: Final[Mapping[str, tuple[Metric, ...]]] = {
    "ALL_METRICS": METRICS,
    "REQUEST_COUNT": ("requests_total",),
    "REQUEST_DURATION": ("request_duration_milliseconds",),
    "REQUEST_SIZE": ("request_bytes",),
    "RESPONSE_SIZE": ("response_bytes",),
    "TCP_OPENED_CONNECTIONS": ("tcp_connections_opened_total",),
    "TCP_CLOSED_CONNECTIONS": ("tcp_connections_closed_total",),
    "TCP_SENT_BYTES": ("tcp_sent_bytes_total",),
    "TCP_RECEIVED_BYTES": ("tcp_received_bytes_total",),
}
_SIDES: Final = ("CLIENT", "SERVER")
_BY_ID: Final = (
    "a provider of Zipkin's decides by the request's id which requests are traced, unless all are:"
    " useRequestIdForTraceSampling is taken for true"
)
Said = tuple[ObjectRef, Telemetry]
T = TypeVar("T")


class Observing(msgspec.Struct, frozen=True, cache_hash=True):
    """What differs from the mesh's settings, and because of whom."""

    metering: Metering | None
    client: Observed
    server: Observed
    objects: tuple[ObjectRef, ...] = ()
    notes: tuple[Note, ...] = ()


def observed(handling: Handling, observing: Observing | None) -> Handling:
    if observing is None:
        return handling
    return msgspec.structs.replace(
        handling,
        metering=observing.metering,
        client=observing.client,
        server=observing.server,
        observers=observing.objects,
    )


def reported(
    handling: Handling, *, client: Reporting | None = None, server: Reporting | None = None
) -> Handling:
    """With what Mixer's rules want to be told besides."""
    if client is None and server is None:
        return handling
    return msgspec.structs.replace(
        handling,
        client=msgspec.structs.replace(handling.client, reports=client or handling.client.reports),
        server=msgspec.structs.replace(handling.server, reports=server or handling.server.reports),
    )


def observing_of(
    settings: MeshSettings, index: RuleIndex, configs: Mapping[ObjectRef, ConfigValue], workload: Workload
) -> Observing | None:
    """None where nothing is said: the settings' own handling holds."""
    in_force = tuple(_in_force(settings, index, configs, workload))
    has_defaults = (
        settings.default_logging or settings.default_tracing or settings.default_metrics is not None
    )
    if not in_force and not has_defaults:
        return None
    notes: list[Note] = []
    providers = _providers(settings)
    logs = {side: _logs(settings, providers, in_force, side, notes) for side in _SIDES}
    traces = {side: _tracing(settings, providers, in_force, side, notes) for side in _SIDES}
    return Observing(
        metering=_metering(settings, in_force),
        client=Observed(logs=logs["CLIENT"], tracing=traces["CLIENT"]),
        server=Observed(logs=logs["SERVER"], tracing=traces["SERVER"]),
        objects=tuple(ref for ref, _ in in_force),
        notes=tuple(dict.fromkeys(notes)),
    )


def _in_force(
    settings: MeshSettings, index: RuleIndex, configs: Mapping[ObjectRef, ConfigValue], workload: Workload
) -> Iterator[Said]:
    """The widest first."""
    own = _of_namespace(index, configs, workload.id.namespace)
    root = _of_namespace(index, configs, settings.root_namespace)
    if workload.id.namespace != settings.root_namespace:
        yield from [each for each in root if _is_wide(each[1])][:1]
    yield from [each for each in own if _is_wide(each[1])][:1]
    yield from [each for each in own if not _is_wide(each[1]) and _picks(each[1], workload)][:1]


def _of_namespace(index: RuleIndex, configs: Mapping[ObjectRef, ConfigValue], namespace: str) -> list[Said]:
    """The oldest first."""
    refs = sorted(index.telemetries.get(namespace, frozenset()), key=lambda ref: configs[ref].age)
    found = ((ref, configs[ref]) for ref in refs)
    return [
        (ref, config.spec)
        for ref, config in found
        if isinstance(config, Config) and isinstance(config.spec, Telemetry)
    ]


def _is_wide(spec: Telemetry) -> bool:
    has_targets = spec.target_ref is not None or bool(spec.target_refs)
    return not has_targets and not (spec.selector and spec.selector.match_labels)


def _picks(spec: Telemetry, workload: Workload) -> bool:
    targets = (*spec.target_refs, *((spec.target_ref,) if spec.target_ref else ()))
    if targets:
        name = workload.labels.get(GATEWAY_NAME_LABEL)
        is_gateway = workload.kind == "gateway"
        return is_gateway and any(each.kind == "Gateway" and each.name == name for each in targets)
    assert spec.selector is not None
    return wears(workload.labels, tuple(spec.selector.match_labels.items()))


def _providers(settings: MeshSettings) -> dict[str, TelemetryProvider]:
    log = settings.handling.access_log or AccessLog()
    own = (TelemetryProvider(name=PROMETHEUS), TelemetryProvider(name=ENVOY, file=log))
    return {each.name: each for each in (*own, *settings.telemetry_providers)}


def _is_for(match: schema.ModeSelector | schema.MetricSelector | None, side: str) -> bool:
    return match is None or match.mode in ("CLIENT_AND_SERVER", side)


# -- metrics --


class _Wanted(msgspec.Struct):
    is_off: bool = False
    tags: dict[str, str] = {}
    """The expression of a label; empty: taken off."""


def _metering(settings: MeshSettings, in_force: tuple[Said, ...]) -> Metering | None:
    providers = (PROMETHEUS,) if settings.default_metrics is None else settings.default_metrics
    wanted = {(side, metric): _Wanted() for side in _SIDES for metric in METRICS}
    for _, spec in in_force:
        for said in spec.metrics:
            providers = tuple(each.name for each in said.providers) or providers
            for override in said.overrides:
                for side in _SIDES:
                    if _is_for(override.match, side):
                        for metric in _meant(override.match):
                            _override(wanted[side, metric], override)
    if PROMETHEUS not in providers:
        return None
    client, server = (
        tuple(_series(metric, wanted[side, metric]) for metric in METRICS if not wanted[side, metric].is_off)
        for side in _SIDES
    )
    return Metering(client=client, server=server)


def _meant(match: schema.MetricSelector | None) -> tuple[Metric, ...]:
    return _METRICS[(match.metric if match else None) or "ALL_METRICS"]


def _override(wanted: _Wanted, override: schema.MetricsOverride) -> None:
    if override.disabled is not None:
        wanted.is_off = override.disabled
    for name, tag in override.tag_overrides.items():
        wanted.tags[name] = tag.value if tag.operation == "UPSERT" else ""


def _series(metric: Metric, wanted: _Wanted) -> Series:
    tags = sorted(wanted.tags.items())
    return Series(
        metric=metric,
        added=tuple((name, value) for name, value in tags if value),
        removed=tuple(name for name, value in tags if not value),
    )


# -- access logs --


def _logs(
    settings: MeshSettings,
    providers: Mapping[str, TelemetryProvider],
    in_force: tuple[Said, ...],
    side: str,
    notes: list[Note],
) -> tuple[LogSink, ...] | None:
    """The narrowest that names providers says which there are; each is as the last that speaks of it leaves it."""
    named, is_said = settings.default_logging, bool(settings.default_logging)
    entries = [(ref, each) for ref, spec in in_force for each in spec.access_logging]
    if not entries and not is_said:
        return None
    for _, each in entries:
        named = tuple(provider.name for provider in each.providers) or named
    named = named or (ENVOY,)
    meant = settings.default_logging or (ENVOY,)
    chosen: dict[str, str] = dict.fromkeys(settings.default_logging, "")
    if not is_said and settings.handling.access_log is not None:
        chosen = {ENVOY: ""}
    for ref, each in entries:
        meant = tuple(provider.name for provider in each.providers) or meant
        if not _is_for(each.match, side):
            continue
        for name in meant:
            _note_missing(providers, name, ref, notes)
            if each.disabled:
                chosen.pop(name, None)
            else:
                chosen[name] = each.filter.expression if each.filter else ""
    return tuple(
        LogSink(file=providers[name].file, otel=providers[name].otel, only=only)
        for name, only in chosen.items()
        if name in named and name in providers and (providers[name].file or providers[name].otel)
    )


# -- tracing --


def _tracing(
    settings: MeshSettings,
    providers: Mapping[str, TelemetryProvider],
    in_force: tuple[Said, ...],
    side: str,
    notes: list[Note],
) -> Tracing | None:
    name = settings.default_tracing[0] if settings.default_tracing else ""
    percent, is_silent, names_itself, by_request_id = 1.0, False, True, True
    tags: dict[str, SpanTag] = {}
    asking: list[ObjectRef] = []
    for ref, spec in in_force:
        for said in spec.tracing:
            if not _is_for(said.match, side):
                continue
            if said.use_request_id_for_trace_sampling is False:
                asking.append(ref)
            name = said.providers[0].name if said.providers else name
            _note_missing(providers, name, ref, notes)
            percent = _last(said.random_sampling_percentage, percent)
            is_silent = _last(said.disable_span_reporting, is_silent)
            names_itself = _last(said.enable_istio_tags, names_itself)
            by_request_id = _last(said.use_request_id_for_trace_sampling, by_request_id)
            if said.custom_tags:
                tags = {tag: _span_tag(tag, value) for tag, value in said.custom_tags.items()}
    tracer = providers[name].tracer if name in providers else None
    if tracer is None or is_silent:
        return None
    if isinstance(tracer, ZipkinTracer) and not by_request_id and percent < 100:
        by_request_id = True
        for ref in asking:
            notes.append(Note(code="telemetry-sampling", about=ref, message=_BY_ID))
    return Tracing(
        tracer=tracer,
        percent=percent,
        tags=tuple(tags[tag] for tag in sorted(tags)),
        names_itself=names_itself,
        by_request_id=by_request_id,
    )


def _span_tag(name: str, tag: schema.CustomTag) -> SpanTag:
    if tag.literal is not None:
        return SpanTag(name=name, source="literal", value=tag.literal.value)
    if tag.environment is not None:
        at = tag.environment
        return SpanTag(name=name, source="environment", value=at.name, default=at.default_value)
    if tag.header is not None:
        return SpanTag(name=name, source="header", value=tag.header.name, default=tag.header.default_value)
    assert tag.formatter is not None
    return SpanTag(name=name, source="formatter", value=tag.formatter.value)


def _last(said: T | None, known: T) -> T:
    return known if said is None else said


def _note_missing(
    providers: Mapping[str, TelemetryProvider], name: str, ref: ObjectRef, notes: list[Note]
) -> None:
    if name and name not in providers:
        message = f"there is no provider {name} among the mesh's extensionProviders: nothing is sent there"
        notes.append(Note(code="telemetry-provider-missing", about=ref, message=message))
