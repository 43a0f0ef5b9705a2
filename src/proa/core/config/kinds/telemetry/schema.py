"""What a Telemetry says, as users write it. Read by its validator."""

from types import MappingProxyType
from typing import Literal

from immutables import Map

from proa.core.config.record import Duration, Filled, PercentFloat, ReadOnlySpec, Record
from proa.core.config.selection import NO_WAYPOINTS, TargetRef, WorkloadSelector

WorkloadMode = Literal["CLIENT_AND_SERVER", "CLIENT", "SERVER"]
Metric = Literal[
    "ALL_METRICS",
    "REQUEST_COUNT",
    "REQUEST_DURATION",
    "REQUEST_SIZE",
    "RESPONSE_SIZE",
    "TCP_OPENED_CONNECTIONS",
    "TCP_CLOSED_CONNECTIONS",
    "TCP_SENT_BYTES",
    "TCP_RECEIVED_BYTES",
    "GRPC_REQUEST_MESSAGES",
    "GRPC_RESPONSE_MESSAGES",
]
TagOperation = Literal["UPSERT", "REMOVE"]


class ProviderRef(Record, frozen=True, kw_only=True):
    name: Filled


class ModeSelector(Record, frozen=True, kw_only=True):
    mode: WorkloadMode = "CLIENT_AND_SERVER"


class LiteralTag(Record, frozen=True, kw_only=True):
    value: Filled


class Environment(Record, frozen=True, kw_only=True):
    name: Filled
    default_value: str = ""


class RequestHeader(Record, frozen=True, kw_only=True):
    name: Filled
    default_value: str = ""


class Formatter(Record, frozen=True, kw_only=True):
    value: Filled


class CustomTag(Record, frozen=True, kw_only=True):
    """One of the four."""

    literal: LiteralTag | None = None
    environment: Environment | None = None
    header: RequestHeader | None = None
    formatter: Formatter | None = None


class Tracing(Record, frozen=True, kw_only=True):
    match: ModeSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    random_sampling_percentage: PercentFloat | None = None
    disable_span_reporting: bool | None = None
    custom_tags: Map[str, CustomTag] = Map()
    use_request_id_for_trace_sampling: bool | None = None
    enable_istio_tags: bool | None = None
    disable_context_propagation: bool | None = None


class MetricSelector(Record, frozen=True, kw_only=True):
    """A metric of Istio's, or one by its own name; neither: all."""

    metric: Metric | None = None
    custom_metric: Filled | None = None
    mode: WorkloadMode = "CLIENT_AND_SERVER"


class TagOverride(Record, frozen=True, kw_only=True):
    operation: TagOperation = "UPSERT"
    value: str = ""


class MetricsOverride(Record, frozen=True, kw_only=True):
    match: MetricSelector | None = None
    disabled: bool | None = None
    tag_overrides: Map[str, TagOverride] = Map()


class Metrics(Record, frozen=True, kw_only=True):
    providers: tuple[ProviderRef, ...] = ()
    overrides: tuple[MetricsOverride, ...] = ()
    reporting_interval: Duration | None = None


class LogFilter(Record, frozen=True, kw_only=True):
    expression: str = ""


class AccessLogging(Record, frozen=True, kw_only=True):
    match: ModeSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    disabled: bool | None = None
    filter: LogFilter | None = None


class Telemetry(ReadOnlySpec, frozen=True, kw_only=True):
    IDLE = MappingProxyType(dict.fromkeys(("targetRef", "targetRefs"), NO_WAYPOINTS))

    selector: WorkloadSelector | None = None
    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    tracing: tuple[Tracing, ...] = ()
    metrics: tuple[Metrics, ...] = ()
    access_logging: tuple[AccessLogging, ...] = ()
