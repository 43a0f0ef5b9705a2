"""What a Telemetry says, as users write it. Read by its validator."""

from types import MappingProxyType
from typing import Annotated, Final, Literal

from immutables import Map

from proa.core.config.record import Filled, LaterWords, PercentFloat, Record
from proa.core.config.selection import TargetRef, WorkloadSelector

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
]
NO_MESSAGES: Final = "messages of gRPC streams are not counted; the metrics of requests count their calls"
KnownMetric = Annotated[
    Metric, LaterWords(("GRPC_REQUEST_MESSAGES", "GRPC_RESPONSE_MESSAGES"), why=NO_MESSAGES)
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
    NOT_YET = ("disableContextPropagation",)
    NOT_YET_BECAUSE = MappingProxyType(
        {"disableContextPropagation": "this Envoy cannot; remove the headers by a VirtualService"}
    )

    match: ModeSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    random_sampling_percentage: PercentFloat | None = None
    disable_span_reporting: bool | None = None
    custom_tags: Map[str, CustomTag] = Map()
    use_request_id_for_trace_sampling: bool | None = None
    enable_istio_tags: bool | None = None


class MetricSelector(Record, frozen=True, kw_only=True):
    """A metric of Istio's; none: all."""

    NOT_YET = ("customMetric",)
    NOT_YET_BECAUSE = MappingProxyType({"customMetric": "there are the standard metrics; name one by metric"})

    metric: KnownMetric | None = None
    mode: WorkloadMode = "CLIENT_AND_SERVER"


class TagOverride(Record, frozen=True, kw_only=True):
    operation: TagOperation = "UPSERT"
    value: str = ""


class MetricsOverride(Record, frozen=True, kw_only=True):
    match: MetricSelector | None = None
    disabled: bool | None = None
    tag_overrides: Map[str, TagOverride] = Map()


class Metrics(Record, frozen=True, kw_only=True):
    NOT_YET = ("reportingInterval",)
    NOT_YET_BECAUSE = MappingProxyType(
        {"reportingInterval": "bytes of a connection are counted when it ends: Envoy tells no differences"}
    )

    providers: tuple[ProviderRef, ...] = ()
    overrides: tuple[MetricsOverride, ...] = ()


class LogFilter(Record, frozen=True, kw_only=True):
    expression: str = ""


class AccessLogging(Record, frozen=True, kw_only=True):
    match: ModeSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    disabled: bool | None = None
    filter: LogFilter | None = None


class Telemetry(Record, frozen=True, kw_only=True):
    """For the workloads that `selector` picks, or for the gateways started for the Gateways that are targets."""

    selector: WorkloadSelector | None = None
    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    tracing: tuple[Tracing, ...] = ()
    metrics: tuple[Metrics, ...] = ()
    access_logging: tuple[AccessLogging, ...] = ()
