"""What proxies count without any rule, as a scraper of the node agent sees it, and what a Telemetry changes of it.

`metered` calls the shared `echo` and, by a local port, `raw`, a program of lines.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proa.core.sidecar.standard_metrics import SECONDS
from tests.mesh.harness import FOREVER, Mesh, Program, app, until
from tests.mesh.spans import Span, Zipkin, hops, report, spans
from tests.mesh.whole_requests import send_whole
from tests.unit.core.config.test_cel import FINE

pytestmark = pytest.mark.mesh

ECHO = "http://echo:8080"
HOST = {
    "destination_service": "echo.default.svc.cluster.local",
    "destination_service_name": "echo",
    "destination_service_namespace": "default",
}
CALLER = {
    "source_workload": "metered",
    "source_workload_namespace": "default",
    "source_principal": "spiffe://cluster.local/ns/default/sa/metered",
    "source_app": "metered",
    "source_version": "v7",
    "source_canonical_service": "metered",
    "source_canonical_revision": "v7",
}
SERVER = {
    "destination_workload": "echo",
    "destination_workload_namespace": "default",
    "destination_principal": "spiffe://cluster.local/ns/default/sa/echo",
    "destination_app": "echo",
    "destination_version": "unknown",
}
ENDS = (
    {"reporter": "source", "connection_security_policy": "unknown"},
    {"reporter": "destination", "connection_security_policy": "mutual_tls"},
)


@pytest.fixture(scope="module")
def metered(shared_mesh: Mesh) -> Iterator[Mesh]:
    mesh = shared_mesh
    options = ("--upstream=raw:9000", "--label=app=metered", "--label=version=v7")
    with (
        mesh.running("raw", app("named_lines"), port="9000:auto/tcp"),
        mesh.running("metered", FOREVER, *options),
    ):
        yield mesh


def ask(mesh: Mesh, method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> int:
    """The status of a request through the sidecar of `metered`."""
    proxy = urlsplit(mesh.proxy("metered"))
    with socket.create_connection((str(proxy.hostname), proxy.port or 0), timeout=30) as line:
        return send_whole(line, method, url, headers, body)


def counted(mesh: Mesh, name: str, wanted: float, **labels: str) -> None:
    """Counters tell of what has ended; who calls may hear of it before."""
    until(lambda: mesh.metric(name, **labels) == wanted, f"{name} {labels} is {wanted}")


def test_requests_are_counted_exactly_at_both_ends(metered: Mesh) -> None:
    reply = f"{ECHO}/reply?name=x-a&value=b&status="
    calls = [f"{ECHO}/one", f"{ECHO}/two", f"{ECHO}/three", f"{reply}418", f"{reply}418"]
    for url in calls:
        ask(metered, "POST", url, body=b"0123456789")
    url = f"{ECHO}/reply?status=200&name=grpc-status&value=5"
    ask(metered, "POST", url, {"content-type": "application/grpc"})
    facts = {**CALLER, **SERVER, **HOST, "response_flags": "-"}
    for end in ENDS:
        http = {**facts, **end, "request_protocol": "http", "grpc_response_status": ""}
        counted(metered, "istio_requests_total", 3, **http, response_code="200")
        counted(metered, "istio_requests_total", 2, **http, response_code="418")
        called = {**facts, **end, "request_protocol": "grpc", "grpc_response_status": "5"}
        counted(metered, "istio_requests_total", 1, **called, response_code="200")
        for name in ("request_duration_milliseconds", "request_bytes", "response_bytes"):
            counted(metered, f"istio_{name}_count", 2, **http, response_code="418")
        # What was sent has ten bytes: 2018's bounds are powers of ten.
        counted(metered, "istio_request_bytes_bucket", 2, **http, response_code="418", le="100")
        counted(metered, "istio_request_bytes_bucket", 0, **http, response_code="418", le="1")


def test_callers_make_no_series(metered: Mesh) -> None:
    """Whatever a request says of itself, it is one of those that there are."""

    def series() -> set[frozenset[tuple[str, str]]]:
        return {
            frozenset(each.labels.items())
            for each in metered.metrics()
            if each.name == "istio_requests_total" and each.labels["source_workload"] == "metered"
        }

    ask(metered, "GET", f"{ECHO}/first")
    for end in ENDS:
        facts = {**CALLER, **SERVER, **end, "response_code": "200", "request_protocol": "http"}
        until(partial(metered.metric, "istio_requests_total", **facts), f"counted: {facts}")
    known, total = series(), metered.metric("istio_requests_total", **CALLER, reporter="destination")
    for number, method in enumerate(("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "POST", "GET", "PUT")):
        said = dict.fromkeys(
            ("x-request-id", "user-agent", "source_app", "x-envoy-peer-metadata"), f"v{number}"
        )
        forged = {"x-forwarded-client-cert": f"URI=spiffe://x/{number}", "grpc-status": str(number)}
        ask(metered, method, f"http://echo.default:8080/p{number}?q={number}", {**said, **forged})
    counted(metered, "istio_requests_total", total + 8, **CALLER, reporter="destination")
    assert series() == known


def test_streams_are_counted_when_they_stand_and_when_they_end(metered: Mesh) -> None:
    host, _, port = metered.environment("metered")["PROA_UPSTREAM_RAW"].rpartition(":")
    facts = {
        **CALLER,
        "destination_workload": "raw",
        "request_protocol": "tcp",
        "destination_service_name": "raw",
    }
    with (
        socket.create_connection((host, int(port)), timeout=20) as stream,
        stream.makefile("rb") as file,
    ):
        stream.sendall(b"hello\n")
        answer = file.readline()
        assert answer
        for end in ENDS:
            counted(metered, "istio_tcp_connections_opened_total", 1, **facts, **end)
            counted(metered, "istio_tcp_connections_closed_total", 0, **facts, **end)
    for end in ENDS:
        counted(metered, "istio_tcp_connections_closed_total", 1, **facts, **end)
        counted(metered, "istio_tcp_received_bytes_total", len(b"hello\n"), **facts, **end)
        counted(metered, "istio_tcp_sent_bytes_total", len(answer), **facts, **end)
        counted(metered, "istio_tcp_connections_opened_total", 1, **facts, **end)


def test_an_envoy_that_is_stuck_is_left_out(metered: Mesh) -> None:
    ask(metered, "GET", f"{ECHO}/before")
    until(lambda: metered.metric("istio_requests_total", **CALLER, reporter="destination"), "it was counted")
    pid = metered.summary("metered").envoy_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        page = metered.metrics()
    finally:
        # One that was stuck for too long may have been replaced.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        metered.until_healthy("metered")
    scraped = {each.labels["workload"]: each.value for each in page if each.name == "proa_sidecar_scraped"}
    assert scraped["metered"] == 0
    assert 1 in scraped.values()


def test_one_sidecar_alone_and_the_names_of_2018(metered: Mesh) -> None:
    ask(metered, "GET", f"{ECHO}/old")
    durations = partial(
        metered.metric, "istio_request_duration_milliseconds_count", **CALLER, reporter="source"
    )
    until(durations, "the caller's proxy has added up its histograms")
    address = json.loads((metered.home.path / "node.json").read_text())["metrics"]
    assert f"http://{address}/metrics" in metered.parts["up"].output, (
        "who starts a mesh is told where to look"
    )
    page = metered.metrics("workload=metered&names=2018")
    assert {each.labels["reporter"] for each in page if each.name == f"{SECONDS}_count"} == {"source"}
    bounds = {each.labels["le"] for each in page if each.name == f"{SECONDS}_bucket"}
    assert bounds == {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"}
    assert not {each.labels.get("workload") for each in page} & {"echo", "caller"}


# -- Telemetry --

OWN = "selector: {matchLabels: {app: metered}}"
PROVIDERS = """
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: istio, namespace: istio-system}
spec:
  extensionProviders:
  - {name: spans, opentelemetry: {service: default/collector, port: 4317, maxTagLength: 40}}
  - {name: lines, envoyOtelAls: {service: default/collector, port: 4317, logName: telling,
      logFormat: {text: "said %REQ(:METHOD)% %RESPONSE_CODE%", labels: {place: "%UPSTREAM_CLUSTER_RAW%"}}}}
  - {name: text, envoyFileAccessLog: {path: /dev/stdout, logFormat: {text: "told %REQ(X-N)% %RESPONSE_CODE%"}}}
  - name: json
    envoyFileAccessLog: {logFormat: {labels: {told: "%REQ(X-N)%", never: "%REQ(X-NONE)%"}}, omitEmptyValues: true}
  - {name: zipkin, zipkin: {service: default/takes, port: 9411}}
  - name: both
    zipkin: {service: default/takes, port: 9411, path: /own/spans, maxTagLength: 40, enable64bitTraceId: true,
      traceContextOption: USE_B3_WITH_W3C_PROPAGATION, headers: [{name: x-key, value: k1}]}
  - name: otlp
    opentelemetry: {service: default/takes, port: 9411, http: {path: /v1/traces,
      headers: [{name: x-key, value: k2}]}}
  - {name: never, zipkin: {service: default/takes, port: 9411, path: /never/spans, timeout: 100ms}}
  - {name: nothing, opentelemetry: {service: default/takes, port: 9411, http: {path: /never/traces, timeout: 100ms}}}
  - name: grpc
    opentelemetry: {service: default/collector, port: 4317, grpc: {initialMetadata: [{name: x-key, value: k3}]}}
"""


def telemetry(spec: str, name: str = "own") -> str:
    return f"""
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}}}
spec: {{{spec}}}
"""


def test_labels_and_metrics_are_an_operators_to_change(metered: Mesh) -> None:
    """Every expression that we take is one that an Envoy takes."""
    taken = ", ".join(f"'l{number}': {{value: {json.dumps(text)}}}" for number, text in enumerate(FINE))
    overrides = f"""
    {{match: {{metric: REQUEST_SIZE}}, disabled: true}},
    {{match: {{mode: CLIENT}}, tagOverrides: {{source_version: {{operation: REMOVE}}}}}},
    {{match: {{metric: RESPONSE_SIZE}}, tagOverrides: {{{taken}}}}},
    {{match: {{metric: REQUEST_COUNT, mode: CLIENT}}, tagOverrides: {{verb: {{value: request.method}},
      wide: {{value: "response.code >= 200 && response.code < 300 ? '2xx' : 'other'"}}}}}}"""
    with metered.applied(
        telemetry(f"{OWN}, metrics: [{{providers: [{{name: prometheus}}], overrides: [{overrides}]}}]")
    ):
        for method in ("PUT", "PUT", "DELETE"):
            ask(metered, method, f"{ECHO}/reply?status=404&name=x-a&value=b")
        counted(metered, "istio_requests_total", 2, source_workload="metered", verb="PUT", wide="other")
        counted(metered, "istio_requests_total", 1, source_workload="metered", verb="DELETE", wide="other")
        sizes = {"source_workload": "metered", "l1": "PUT", "l6": "other"}
        counted(metered, "istio_response_bytes_count", 2, **sizes)
        page = metered.metrics()
    told = [each for each in page if each.name == "istio_requests_total" and "verb" in each.labels]
    assert told
    assert not any("source_version" in each.labels for each in told)
    assert {each.labels["reporter"] for each in told} == {"source"}
    ours = [
        each for each in page if {"reporter": "source", "response_code": "404"}.items() <= each.labels.items()
    ]
    counts = {each.name for each in ours if each.labels["source_workload"] == "metered"}
    assert "istio_response_bytes_count" in counts
    assert "istio_request_bytes_count" not in counts


@pytest.fixture(scope="module")
def collected(metered: Mesh) -> Iterator[Program]:
    running = metered.running("collector", app("collector"), port="4317:auto/grpc")
    with running as collector, metered.applied(PROVIDERS):
        yield collector


def exported(collector: Program, what: str) -> bytes:
    """All that was taken so far, one message after the other."""
    lines = (line.split(" ") for line in collector.output.splitlines())
    return b"".join(bytes.fromhex(line[1]) for line in lines if line[0] == what and len(line) == 2)


def log_of(mesh: Mesh) -> str:
    return mesh.home.workload_log("default/metered", "access").read_text()


def test_lines_go_where_a_telemetry_says_and_only_those_it_wants(metered: Mesh, collected: Program) -> None:
    providers = "[{name: text}, {name: json}, {name: lines}]"
    log = f"match: {{mode: CLIENT}}, providers: {providers}, filter: {{expression: 'response.code >= 400'}}"
    with metered.applied(telemetry(f"{OWN}, accessLogging: [{{{log}}}]")):
        ask(metered, "GET", f"{ECHO}/reply?status=200&name=x-a&value=b", {"x-n": "fine"})
        ask(metered, "PATCH", f"{ECHO}/reply?status=418&name=x-a&value=b", {"x-n": "bad"})
        until(lambda: "told bad 418\n" in log_of(metered), "the text is written")
        until(lambda: '{"told":"bad"}\n' in log_of(metered), "the object is written")
        until(lambda: b"said PATCH 418" in exported(collected, "logs"), "the line was sent")
    said = exported(collected, "logs")
    assert b"telling" in said
    assert b"outbound|8080||echo.default.svc.cluster.local" in said
    assert b"said GET" not in said
    assert "fine" not in log_of(metered)
    with metered.applied(telemetry(f"{OWN}, accessLogging: [{{disabled: true}}]")):
        ask(metered, "GET", f"{ECHO}/not-written")
    ask(metered, "GET", f"{ECHO}/written-again")
    until(lambda: "/written-again" in log_of(metered), "the mesh's own log is back")
    assert "/not-written" not in log_of(metered)


TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED_ID = "3b9d1c4e-7f60-9b5a-8c2d-0123456789ab"
"""An id of a request in which an earlier proxy has written that it is traced."""


def test_spans_of_chosen_requests_are_sent(metered: Mesh, collected: Program) -> None:
    tags = """customTags: {lit: {literal: {value: literal-value}},
      env: {environment: {name: NOT_SET, defaultValue: env-value}},
      head: {header: {name: x-tag}}, form: {formatter: {value: "form-%REQ(:METHOD)%"}}}"""
    spans = "match: {mode: CLIENT}, providers: [{name: spans}]"

    def taken(*words: str) -> bool:
        known = exported(collected, "traces")
        return all(word.encode() in known for word in words)

    def traced(trace: str, sampled: bool, path: str) -> None:
        """As many as an Envoy sends at once."""
        flags = "01" if sampled else "00"
        for _ in range(5):
            parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-{flags}", "x-tag": "head-value"}
            ask(metered, "GET", f"{ECHO}/{path}", parent)

    with metered.applied(telemetry(f"{OWN}, tracing: [{{{spans}, randomSamplingPercentage: 100, {tags}}}]")):
        for _ in range(5):
            ask(metered, "GET", f"{ECHO}/first-span/{'long' * 20}", {"x-tag": "head-value"})
        until(lambda: taken("literal-value", "env-value", "head-value", "form-GET"), "spans with their tags")
        assert taken("metered.default", "istio.canonical_revision", "v7")
        assert not taken("long" * 20)
        assert metered.curl("metered", f"{ECHO}/").stdout.count("traceparent") == 1
    never = f"{spans}, randomSamplingPercentage: 0, enableIstioTags: false"
    with metered.applied(telemetry(f"{OWN}, tracing: [{{{never}, useRequestIdForTraceSampling: false}}]")):
        for _ in range(5):
            ask(metered, "GET", f"{ECHO}/by-id-not", {"x-request-id": SAMPLED_ID})
        ask(metered, "GET", f"{ECHO}/by-chance")
        traced("f" * 32, sampled=False, path="unsampled")
        traced(TRACE, sampled=True, path="sampled")
        until(lambda: taken("/sampled"), "the caller's decision counts")
        assert bytes.fromhex(TRACE) in exported(collected, "traces")
        assert [path for path in ("/by-id-not", "/by-chance", "/unsampled") if taken(path)] == []
    with metered.applied(telemetry(f"{OWN}, tracing: [{{{never}}}]")):
        for _ in range(5):
            ask(metered, "GET", f"{ECHO}/by-id", {"x-request-id": SAMPLED_ID})
        until(lambda: taken("/by-id"), "what the request's id says counts")
    silent = f"{spans}, randomSamplingPercentage: 100, disableSpanReporting: true"
    with metered.applied(telemetry(f"{OWN}, tracing: [{{{silent}}}]")):
        traced(TRACE, sampled=True, path="silent")
    with metered.applied(telemetry(f"{OWN}, tracing: [{{{spans}, randomSamplingPercentage: 100}}]")):
        traced(TRACE, sampled=True, path="loud")
        until(lambda: taken("/loud"), "spans again")
    assert not taken("/silent")


# -- Zipkin, and OTLP by HTTP --

B3 = {"x-b3-traceid": TRACE, "x-b3-spanid": "b7ad6b7169203331", "x-b3-sampled": "1"}


Headers = dict[str, str]


def five(mesh: Mesh, path: str, headers: Mapping[str, str] = {}) -> list[Headers]:
    """As many requests as an Envoy tells of at once, over one connection so that one worker has them; the headers that
    reached the program."""
    proxy = urlsplit(mesh.proxy("metered"))
    line = http.client.HTTPConnection(str(proxy.hostname), proxy.port, timeout=30)
    seen = []
    with contextlib.closing(line):
        for _ in range(5):
            line.request("GET", f"{ECHO}/{path}", headers={**headers, "host": "echo:8080"})
            answer = line.getresponse()
            assert answer.status == 200
            seen.append(json.loads(answer.read())["headers"])
    return seen


def until_told(
    mesh: Mesh, path: str, question: Callable[[], object], headers: Mapping[str, str] = {}
) -> list[Headers]:
    """Asks again and again: connections between proxies keep the filters that they began with. What the program saw."""
    seen: list[Headers] = []

    def told() -> object:
        seen.extend(five(mesh, path, headers))
        return question()

    until(told, f"spans of /{path} have come")
    return seen


def test_spans_of_b3_go_to_zipkin(metered: Mesh, collected: Program) -> None:
    """Also before there is a collector: then they are lost, and nothing else."""

    def tracing(provider: str, more: str = "randomSamplingPercentage: 100") -> str:
        return telemetry(f"tracing: [{{providers: [{{name: {provider}}}], {more}}}]", "zip")

    with metered.applied(tracing("zipkin")):
        done = metered.apply(PROVIDERS)
        assert "no service takes.default.svc.cluster.local has port 9411" in f"{done.stdout}{done.stderr}"
        five(metered, "nobody-collects")
        with metered.running("takes", app("http_collector"), port="9411:auto") as takes:
            reached = until_told(metered, "b3", lambda: hops(spans(takes), "/b3"), B3)
            pairs = {server.id: (client, server) for client, server in hops(spans(takes), "/b3")}
            assert {headers["x-b3-traceid"] for headers in reached} == {TRACE}
            assert not any("traceparent" in headers for headers in reached)
            told = [headers for headers in reached if headers["x-b3-spanid"] in pairs]
            assert told
            for headers in told:
                client, server = pairs[headers["x-b3-spanid"]]
                assert headers["x-b3-parentspanid"] == server.parent_id == client.id
                assert client.parent_id == B3["x-b3-spanid"]
                assert (client.service, server.service) == ("metered.default", "echo.default")
            five(metered, "unsampled", {**B3, "x-b3-sampled": "0"})
            metered.apply(tracing("both"))
            reached = until_told(metered, "w3c", lambda: report(takes, "/own/spans", b"/w3c"))
            for headers in reached:
                assert len(headers["x-b3-traceid"]) == 16
                assert headers["traceparent"].split("-")[1] == headers["x-b3-traceid"].zfill(32)
            parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            assert {headers["x-b3-traceid"] for headers in five(metered, "joined", parent)} == {TRACE}
            metered.apply(tracing("both", "randomSamplingPercentage: 0"))
            assert {headers["x-b3-sampled"] for headers in five(metered, "by-chance")} == {"0"}
            until_told(metered, "last/" + "long" * 20, lambda: report(takes, "/own/spans", b"/last"), B3)
            known = spans(takes, "/own/spans")
            assert not any("long" * 20 in span.url for span in known if span.kind == "CLIENT")
            found = report(takes, "/own/spans")
            assert found is not None
            assert (found.headers["x-key"], found.headers["x-b3-sampled"]) == ("k1", "0")
            unwanted = ("/unsampled", "/by-chance", "/api/v2/spans", "/own/spans")
            assert [span.url for span in (*spans(takes), *known) if span.url.endswith(unwanted)] == []
            metered.apply(tracing("never"))
            until_told(metered, "in-vain", lambda: given_up(metered))


def given_up(mesh: Mesh) -> int:
    return sum(mesh.stats("metered", "takes.*upstream_rq_timeout").values())


def test_otlp_goes_by_http_and_with_headers_of_an_operators_own(metered: Mesh, collected: Program) -> None:
    def tracing(provider: str) -> str:
        spans = f"match: {{mode: CLIENT}}, providers: [{{name: {provider}}}], randomSamplingPercentage: 100"
        return telemetry(f"{OWN}, tracing: [{{{spans}}}]", "otlp")

    with (
        metered.running("takes", app("http_collector"), port="9411:auto/http") as takes,
        metered.applied(tracing("otlp")),
    ):
        until_told(metered, "by-http", lambda: report(takes, "/v1/traces", b"/by-http"))
        found = report(takes, "/v1/traces", b"/by-http")
        assert found is not None
        assert found.headers["content-type"] == "application/x-protobuf"
        assert found.headers["x-key"] == "k2"
        assert ExportTraceServiceRequest.FromString(found.body).resource_spans
        before = given_up(metered)
        metered.apply(tracing("nothing"))
        until_told(metered, "in-vain", lambda: given_up(metered) > before)
        metered.apply(tracing("grpc"))
        until_told(metered, "by-grpc", lambda: b"/by-grpc" in exported(collected, "traces"))
        assert "key k3\n" in collected.output


SPANS_OF_RULES = """
apiVersion: config.istio.io/v1alpha2
kind: tracespan
metadata: {name: hop}
spec:
  traceId: request.headers["x-b3-traceid"]
  spanId: request.headers["x-b3-spanid"] | ""
  parentSpanId: request.headers["x-b3-parentspanid"] | ""
  spanName: request.path | "/"
  startTime: request.time
  endTime: response.time
  httpStatusCode: response.code | 0
  clientSpan: context.reporter.kind == "outbound"
  spanTags:
    http.url: request.path | ""
    source.workload.name: source.workload.name | "unknown"
    destination.workload.name: destination.workload.name | "unknown"
---
apiVersion: config.istio.io/v1alpha2
kind: zipkin
metadata: {name: traces}
spec: {url: "URL", flushInterval: 100ms}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: spans}
spec:
  match: context.protocol == "http" && source.workload.name == "metered"
  actions:
  - handler: traces.zipkin
    instances: [hop.tracespan]
"""


def test_rules_make_spans_of_what_proxies_tell(metered: Mesh, collected: Program) -> None:
    """Where nobody traces, and where an operator's tracer speaks W3C alone."""
    with Zipkin() as zipkin, metered.applied(SPANS_OF_RULES.replace("URL", zipkin.url)):
        seen = until_told(metered, "by-rule", lambda: hops(zipkin.spans, "/by-rule"))
        pairs = hops(zipkin.spans, "/by-rule")
        reached = {headers["x-b3-spanid"]: headers for headers in seen if "x-b3-spanid" in headers}
        assert {(client.service, server.service) for client, server in pairs} == {("metered", "echo")}
        for client, server in pairs:
            assert reached[server.id]["x-b3-parentspanid"] == server.parent_id == client.id
            assert reached[server.id]["x-b3-traceid"] == server.trace_id
            assert server.trace_id in reached[server.id]["traceparent"]
            assert client.parent_id == ""
            assert server.tags["http.status_code"] == "200"
        assert {client.name for client, _ in pairs} == {"/by-rule"}
        everything = "providers: [{name: spans}], randomSamplingPercentage: 100"
        with metered.applied(telemetry(f"{OWN}, tracing: [{{{everything}}}]")):
            parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}

            def told() -> list[Span]:
                return [span for span in zipkin.spans if "/by-w3c" in span.url and span.kind == "CLIENT"]

            until_told(metered, "by-w3c", told, parent)
            assert {span.trace_id for span in told()} == {TRACE}
            assert "b7ad6b7169203331" not in {span.id for span in told()}, "it is the caller's program's"
