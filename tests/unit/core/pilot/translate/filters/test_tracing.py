"""What a connection manager says of spans."""

from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.config.trace.v3.zipkin_pb2 import ZipkinConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from proa.core.model.settings import Observed, Reporting, SpanTag, Tracer, Tracing, ZipkinTracer
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.tracing import trace, tracing_of

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


def zipkin(tracer: ZipkinTracer) -> ZipkinConfig:
    manager = HttpConnectionManager()
    trace(manager, Tracing(tracer=tracer))
    config = unpack(manager.tracing.provider.typed_config, ZipkinConfig)
    assert config is not None
    return config


def test_zipkin_has_its_own_ids_and_says_that_its_reports_are_no_traffic() -> None:
    config = zipkin(ZipkinTracer(host="zipkin.x", port=9411, headers=(("x-key", "k"),)))
    service = config.collector_service
    assert service.http_uri.uri == "http://zipkin.x:9411/api/v2/spans"
    assert service.http_uri.cluster == "outbound|9411||zipkin.x"
    assert service.http_uri.timeout.ToMilliseconds() == 5000
    sent = {each.header.key: each.header.value for each in service.request_headers_to_add}
    assert sent == {"x-b3-sampled": "0", "x-key": "k"}
    assert (config.trace_id_128bit, config.shared_span_context.value) == (True, False)
    assert config.trace_context_option == ZipkinConfig.USE_B3
    both = zipkin(ZipkinTracer(host="zipkin.x", port=9411, short_ids=True, speaks_w3c=True))
    assert not both.trace_id_128bit
    assert both.trace_context_option == ZipkinConfig.USE_B3_WITH_W3C_PROPAGATION


def test_headers_go_with_reports_of_either_way() -> None:
    headers = (("x-key", "k"),)
    _, by_http = traced(Tracing(tracer=Tracer(host="a.x", port=1, http_path="/t", headers=headers)))
    (added,) = by_http.http_service.request_headers_to_add
    assert (added.header.key, added.header.value) == ("x-key", "k")
    _, by_grpc = traced(Tracing(tracer=Tracer(host="a.x", port=1, headers=headers)))
    (sent,) = by_grpc.grpc_service.initial_metadata
    assert (sent.key, sent.value) == ("x-key", "k")


def test_ids_alone_where_nobody_else_gives_them() -> None:
    told = Reporting(requests=True, spans=True)
    made = tracing_of(Observed(reports=told))
    assert made is not None
    manager = HttpConnectionManager()
    trace(manager, made)
    config = unpack(manager.tracing.provider.typed_config, ZipkinConfig)
    assert config is not None
    assert config.collector_cluster == "BlackHoleCluster"
    assert manager.tracing.random_sampling.value == 100
    mine = Tracing(tracer=HOST)
    assert tracing_of(Observed(tracing=mine, reports=told)) is mine
    assert tracing_of(Observed(reports=Reporting(requests=True))) is None
    assert tracing_of(Observed()) is None
