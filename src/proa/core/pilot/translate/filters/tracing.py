"""Spans of requests: whether a trace begins, what a span bears, and where it is sent, straight from the proxy.

The tracer of OTLP speaks W3C's headers, that of Zipkin B3's, and both if it is told to. Headers of another kind pass as
they are, and no span of ours joins their trace.
"""

from typing import Final

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.http_service_pb2 import HttpService
from envoy.config.trace.v3.http_tracer_pb2 import Tracing as Provider
from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.config.trace.v3.zipkin_pb2 import ZipkinConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    RequestIDExtension,
)
from envoy.extensions.request_id.uuid.v3.uuid_pb2 import UuidRequestIdConfig
from envoy.extensions.tracers.opentelemetry.resource_detectors.v3.environment_resource_detector_pb2 import (
    EnvironmentResourceDetectorConfig,
)
from envoy.extensions.tracers.opentelemetry.samplers.v3.parent_based_sampler_pb2 import (
    ParentBasedSamplerConfig,
)
from envoy.extensions.tracers.opentelemetry.samplers.v3.trace_id_ratio_based_sampler_pb2 import (
    TraceIdRatioBasedSamplerConfig,
)
from envoy.type.tracing.v3.custom_tag_pb2 import CustomTag
from envoy.type.v3.percent_pb2 import FractionalPercent

from proa.core.model.names import cluster_name
from proa.core.model.settings import Observed, SpanTag, TraceIds, Tracer, Tracing, ZipkinTracer
from proa.core.model.span_names import SPAN_NAMES
from proa.core.pilot.translate.clusters import BLACK_HOLE
from proa.core.pilot.translate.encode import boolean, millis, pack, uint32

_ZIPKIN: Final = "envoy.tracers.zipkin"
UNSAMPLED: Final = ("x-b3-sampled", "0")
"""Goes with reports to Zipkin: a collector in the mesh has a sidecar, which must not tell of what it is told."""


_IDS: Final = Tracing(tracer=TraceIds(), percent=100.0, names_itself=False)


def tracing_of(observed: Observed) -> Tracing | None:
    """Where reports become spans and nobody traces, requests get their places in traces. A tracer of an operator's does
    that by itself, and decides which requests have one."""
    if observed.tracing is None and observed.reports is not None and observed.reports.spans:
        return _IDS
    return observed.tracing


def trace(manager: HttpConnectionManager, tracing: Tracing) -> None:
    made = manager.tracing
    made.client_sampling.value = 100.0
    made.random_sampling.value = tracing.percent
    made.overall_sampling.value = 100.0
    longest = 0 if isinstance(tracing.tracer, TraceIds) else tracing.tracer.longest_path
    if longest:
        made.max_path_tag_length.CopyFrom(uint32(longest))
    if tracing.names_itself:
        made.custom_tags.extend(
            CustomTag(tag=tag, environment=CustomTag.Environment(name=variable, default_value="unknown"))
            for tag, variable in SPAN_NAMES.items()
        )
    made.custom_tags.extend(_tag(each) for each in tracing.tags)
    match tracing.tracer:
        case Tracer():
            made.provider.CopyFrom(_otlp(tracing.tracer, tracing))
        case ZipkinTracer():
            made.provider.CopyFrom(_zipkin(tracing.tracer))
        case TraceIds():
            made.provider.CopyFrom(_ids_alone())
    if not tracing.by_request_id:
        plain = UuidRequestIdConfig(use_request_id_for_trace_sampling=boolean(False))
        manager.request_id_extension.CopyFrom(RequestIDExtension(typed_config=pack(plain)))


def _tag(tag: SpanTag) -> CustomTag:
    match tag.source:
        case "literal":
            return CustomTag(tag=tag.name, literal=CustomTag.Literal(value=tag.value))
        case "environment":
            variable = CustomTag.Environment(name=tag.value, default_value=tag.default)
            return CustomTag(tag=tag.name, environment=variable)
        case "header":
            header = CustomTag.Header(name=tag.value, default_value=tag.default)
            return CustomTag(tag=tag.name, request_header=header)
        case "formatter":
            return CustomTag(tag=tag.name, value=tag.value)


def _zipkin(tracer: ZipkinTracer) -> Provider.Http:
    """A server's span is its own and not half of the caller's, as in Istio. Envoy refuses a listener unless it has the
    collector's cluster: scopes have one for each, known or not."""
    config = ZipkinConfig(
        collector_endpoint_version=ZipkinConfig.HTTP_JSON,
        trace_id_128bit=not tracer.short_ids,
        shared_span_context=boolean(False),
        trace_context_option=ZipkinConfig.USE_B3_WITH_W3C_PROPAGATION
        if tracer.speaks_w3c
        else ZipkinConfig.USE_B3,
    )
    _post(config.collector_service, tracer.path, tracer, UNSAMPLED)
    return Provider.Http(name=_ZIPKIN, typed_config=pack(config))


def _ids_alone() -> Provider.Http:
    """Envoy's only tracer that speaks both kinds of headers, which cannot be without a collector."""
    config = ZipkinConfig(
        collector_cluster=BLACK_HOLE,
        collector_endpoint="/",
        collector_endpoint_version=ZipkinConfig.HTTP_JSON,
        trace_id_128bit=True,
        shared_span_context=boolean(False),
        trace_context_option=ZipkinConfig.USE_B3_WITH_W3C_PROPAGATION,
    )
    return Provider.Http(name=_ZIPKIN, typed_config=pack(config))


def _post(service: HttpService, path: str, tracer: Tracer | ZipkinTracer, *own: tuple[str, str]) -> None:
    uri = service.http_uri
    uri.uri = f"http://{tracer.host}:{tracer.port}{path}"
    uri.cluster = cluster_name("outbound", tracer.port, "", tracer.host)
    uri.timeout.CopyFrom(millis(tracer.timeout_ms))
    for name, value in (*own, *tracer.headers):
        header = HeaderValueOption(header=HeaderValue(key=name, value=value))
        header.append_action = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
        service.request_headers_to_add.append(header)


def _otlp(tracer: Tracer, tracing: Tracing) -> Provider.Http:
    """The resource, with the workload's name, is in the variables that the agent gives to its Envoy: so one listener
    serves all workloads of a scope."""
    config = OpenTelemetryConfig()
    if not tracing.by_request_id:
        config.sampler.CopyFrom(_sampler(tracing.percent))
    if tracer.http_path:
        _post(config.http_service, tracer.http_path, tracer)
    else:
        called = cluster_name("outbound", tracer.port, "", tracer.host)
        config.grpc_service.envoy_grpc.cluster_name = called
        # The cluster's name, which Envoy would put there, is no name of a host.
        config.grpc_service.envoy_grpc.authority = f"{tracer.host}:{tracer.port}"
        config.grpc_service.timeout.CopyFrom(millis(tracer.timeout_ms))
        config.grpc_service.initial_metadata.extend(
            HeaderValue(key=name, value=value) for name, value in tracer.headers
        )
    detector = config.resource_detectors.add(
        name="envoy.tracers.opentelemetry.resource_detectors.environment"
    )
    detector.typed_config.CopyFrom(pack(EnvironmentResourceDetectorConfig()))
    return Provider.Http(name="envoy.tracers.opentelemetry", typed_config=pack(config))


def _sampler(percent: float) -> TypedExtensionConfig:
    """Who does not ask the request's id asks the tracer: as the caller decided, else by chance."""
    share = FractionalPercent(numerator=round(percent * 10_000), denominator=FractionalPercent.MILLION)
    by_chance = TraceIdRatioBasedSamplerConfig(sampling_percentage=share)
    of_parent = ParentBasedSamplerConfig(
        wrapped_sampler=TypedExtensionConfig(
            name="envoy.tracers.opentelemetry.samplers.trace_id_ratio_based", typed_config=pack(by_chance)
        )
    )
    return TypedExtensionConfig(
        name="envoy.tracers.opentelemetry.samplers.parent_based", typed_config=pack(of_parent)
    )
