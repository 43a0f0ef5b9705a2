"""Which Telemetries are in force for a workload, and what they leave of the mesh's settings."""

from proa.core.config.kinds.mesh_config.schema import MeshConfig
from proa.core.model.metering import METRICS, Metering
from proa.core.model.names import ObjectRef, parse_workload_id
from proa.core.model.settings import Handling, LogSink, MeshSettings, SpanTag, Tracer, ZipkinTracer
from proa.core.pilot.registry.mesh_config import settings_of
from proa.core.pilot.scope.telemetry import Observing, observed, observing_of
from proa.testing.builders import Mesh, configs, simple

PROVIDERS = """
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: istio, namespace: istio-system}
spec:
  extensionProviders:
  - {name: spans, opentelemetry: {service: collector, port: 4317}}
  - {name: file, envoyFileAccessLog: {path: /dev/stdout, logFormat: {text: "line %PROTOCOL%"}, omitEmptyValues: true}}
  - {name: lines, envoyOtelAls: {service: default/collector, port: 4317, logFormat: {labels: {m: "%PROTOCOL%"}}}}
  MORE
"""


def telemetry(spec: str, name: str = "t", namespace: str = "default") -> str:
    return f"""
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{spec}}}
"""


def mesh(*texts: str, more: str = "") -> Mesh:
    (written,) = configs(PROVIDERS.replace("MORE", more), "istio-system")
    assert isinstance(written.spec, MeshConfig)
    made = Mesh(simple("web"), simple("shop/far"), settings=settings_of(MeshSettings(), written.spec))
    made.apply("---".join(texts))
    return made


def observing(made: Mesh, workload: str = "default/web-v1") -> Observing | None:
    snapshot = made.world.snapshot
    known = snapshot.workloads[parse_workload_id(workload)]
    return observing_of(snapshot.settings, made.world.index, snapshot.configs, known)


def found(made: Mesh, workload: str = "default/web-v1") -> Observing:
    answer = observing(made, workload)
    assert answer is not None
    return answer


def test_nothing_said_is_the_settings() -> None:
    assert observing(mesh()) is None
    handling = Handling()
    assert observed(handling, None) is handling


def test_of_the_mesh_of_the_namespace_of_the_workload_the_narrowest_counts() -> None:
    def sampled(percent: int) -> str:
        return f"tracing: [{{providers: [{{name: spans}}], randomSamplingPercentage: {percent}}}]"

    made = mesh(
        telemetry(sampled(10), namespace="istio-system"),
        telemetry(sampled(20)),
        telemetry("selector: {matchLabels: {app: web}}, tracing: [{randomSamplingPercentage: 30}]", "w"),
        telemetry("selector: {matchLabels: {app: other}}, tracing: [{randomSamplingPercentage: 40}]", "o"),
    )
    own, far = found(made), found(made, "shop/far-v1")
    assert own.client.tracing is not None
    assert far.server.tracing is not None
    assert own.client.tracing.percent == 30
    assert own.client.tracing.tracer == Tracer(host="collector.istio-system.svc.cluster.local", port=4317)
    assert far.server.tracing.percent == 10
    assert own.objects == (
        ObjectRef("Telemetry", "istio-system", "t"),
        ObjectRef("Telemetry", "default", "t"),
        ObjectRef("Telemetry", "default", "w"),
    )


def test_metrics_are_turned_off_and_labels_changed_by_side() -> None:
    overrides = """
    {match: {metric: REQUEST_SIZE}, disabled: true},
    {match: {metric: ALL_METRICS, mode: CLIENT}, tagOverrides: {verb: {value: request.method},
      source_app: {operation: REMOVE}}},
    {match: {metric: REQUEST_COUNT, mode: SERVER}, disabled: true}"""
    metering = found(mesh(telemetry(f"metrics: [{{overrides: [{overrides}]}}]"))).metering
    assert metering is not None
    assert {each.metric for each in metering.client} == set(METRICS) - {"request_bytes"}
    assert {each.metric for each in metering.server} == set(METRICS) - {"request_bytes", "requests_total"}
    assert {each.added for each in metering.client} == {(("verb", "request.method"),)}
    assert {each.removed for each in metering.client} == {("source_app",)}
    assert not any(each.added or each.removed for each in metering.server)


def test_a_narrower_one_turns_on_again_and_takes_back() -> None:
    off = "metrics: [{overrides: [{disabled: true, tagOverrides: {a: {value: request.host}}}]}]"
    on = "metrics: [{overrides: [{disabled: false, tagOverrides: {a: {operation: REMOVE}}}]}]"
    metering = found(mesh(telemetry(off, namespace="istio-system"), telemetry(on))).metering
    assert metering is not None
    assert len(metering.client) == len(METRICS)
    assert {(each.added, each.removed) for each in metering.client} == {((), ("a",))}


def test_metrics_of_providers_that_do_not_count_are_none() -> None:
    assert found(mesh(more="defaultProviders: {metrics: []}")).metering is None
    said = telemetry("metrics: [{providers: [{name: prometheus}]}]")
    assert found(mesh(said, more="defaultProviders: {metrics: []}")).metering == Metering()


def test_logs_by_side_with_a_filter() -> None:
    said = """accessLogging: [
      {match: {mode: SERVER}, providers: [{name: file}], filter: {expression: "response.code >= 400"}},
      {match: {mode: CLIENT}, providers: [{name: lines}]}]"""
    answer = found(mesh(telemetry(said)))
    assert answer.client.logs is not None
    assert answer.server.logs is not None
    (line,) = answer.client.logs
    assert line.otel is not None
    assert line.otel.host == "collector.default.svc.cluster.local"
    assert line.otel.attributes == (("m", "%PROTOCOL%"),)
    # Providers of the last entry are those that there are.
    assert answer.server.logs == ()


def test_logs_are_turned_off_and_on() -> None:
    assert found(mesh(telemetry("accessLogging: [{disabled: true}]"))).client.logs == ()
    on = found(
        mesh(
            telemetry("accessLogging: [{disabled: true}]", namespace="istio-system"),
            telemetry("accessLogging: [{disabled: false, filter: {expression: 'response.code > 1'}}]"),
        )
    )
    assert on.client.logs is not None
    ((sink),) = on.client.logs
    assert sink.only == "response.code > 1"
    assert sink.file is not None


def test_default_providers_are_in_force_without_any_telemetry() -> None:
    answer = found(mesh(more="defaultProviders: {accessLogging: [file], tracing: [spans]}"))
    assert answer.client.logs is not None
    ((sink),) = answer.client.logs
    assert isinstance(sink, LogSink)
    assert sink.file is not None
    assert (sink.file.form, sink.file.encoding, sink.file.omits_empty) == ("line %PROTOCOL%\n", "TEXT", True)
    assert answer.server.tracing is not None


def test_spans_are_silenced_and_tags_replaced() -> None:
    spans = "providers: [{name: spans}]"
    assert (
        found(mesh(telemetry(f"tracing: [{{{spans}, disableSpanReporting: true}}]"))).client.tracing is None
    )
    tags = "customTags: {a: {literal: {value: x}}, b: {header: {name: x-b, defaultValue: y}}}"
    said = telemetry(f"tracing: [{{match: {{mode: CLIENT}}, {spans}, {tags}, enableIstioTags: false}}]")
    answer = found(mesh(said))
    assert answer.server.tracing is None
    assert answer.client.tracing is not None
    assert answer.client.tracing.tags == (
        SpanTag(name="a", source="literal", value="x"),
        SpanTag(name="b", source="header", value="x-b", default="y"),
    )
    assert not answer.client.tracing.names_itself


def test_a_provider_that_is_not_there_is_told() -> None:
    answer = found(mesh(telemetry("tracing: [{providers: [{name: nobody}]}]")))
    assert answer.client.tracing is None
    assert {note.code for note in answer.notes} == {"telemetry-provider-missing"}


def test_zipkin_samples_by_the_requests_id_unless_it_samples_all() -> None:
    zipkin = "- {name: zipkin, zipkin: {service: zipkin, port: 9411}}"
    without = "providers: [{name: zipkin}], useRequestIdForTraceSampling: false"
    some = found(mesh(telemetry(f"tracing: [{{{without}}}]"), more=zipkin))
    assert some.client.tracing is not None
    assert some.client.tracing.tracer == ZipkinTracer(host="zipkin.istio-system.svc.cluster.local", port=9411)
    assert some.client.tracing.by_request_id
    assert {note.code for note in some.notes} == {"telemetry-sampling"}
    every = found(mesh(telemetry(f"tracing: [{{{without}, randomSamplingPercentage: 100}}]"), more=zipkin))
    assert every.client.tracing is not None
    assert not every.client.tracing.by_request_id
    assert every.notes == ()
