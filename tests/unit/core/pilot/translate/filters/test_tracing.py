"""What a connection manager says of spans."""

from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from proa.core.model.settings import SpanTag, Tracer, Tracing
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.tracing import trace

HOST = Tracer(host="spans.istio-system.svc.cluster.local", port=4317)


def traced(tracing: Tracing) -> tuple[HttpConnectionManager, OpenTelemetryConfig]:
    manager = HttpConnectionManager()
    trace(manager, tracing)
    config = unpack(manager.tracing.provider.typed_config, OpenTelemetryConfig)
    assert config is not None
    return manager, config


def test_spans_go_to_the_service_and_bear_the_workloads_name() -> None:
    manager, config = traced(Tracing(tracer=HOST, percent=12.5))
    assert config.grpc_service.envoy_grpc.cluster_name == f"outbound|4317||{HOST.host}"
    assert manager.tracing.random_sampling.value == 12.5
    assert "istio.canonical_service" in {tag.tag for tag in manager.tracing.custom_tags}
    assert not manager.HasField("request_id_extension")


def test_over_http_with_a_time_and_without_istios_tags() -> None:
    tracer = Tracer(host="spans.example", port=4318, http_path="/v1/traces", timeout_ms=250, longest_path=64)
    manager, config = traced(Tracing(tracer=tracer, names_itself=False, by_request_id=False))
    assert config.http_service.http_uri.uri == "http://spans.example:4318/v1/traces"
    assert config.http_service.http_uri.timeout.ToMilliseconds() == 250
    assert not manager.tracing.custom_tags
    assert manager.tracing.max_path_tag_length.value == 64
    assert manager.HasField("request_id_extension")
    assert config.sampler.name.endswith("parent_based")


def test_each_source_of_a_tag() -> None:
    tags = (
        SpanTag(name="l", source="literal", value="x"),
        SpanTag(name="e", source="environment", value="RACK", default="none"),
        SpanTag(name="h", source="header", value="x-a", default="y"),
        SpanTag(name="f", source="formatter", value="%PROTOCOL%"),
    )
    manager, _ = traced(Tracing(tracer=HOST, names_itself=False, tags=tags))
    literal, variable, header, form = manager.tracing.custom_tags
    assert literal.literal.value == "x"
    assert (variable.environment.name, variable.environment.default_value) == ("RACK", "none")
    assert (header.request_header.name, header.request_header.default_value) == ("x-a", "y")
    assert form.value == "%PROTOCOL%"
