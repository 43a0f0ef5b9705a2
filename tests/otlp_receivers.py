"""Receivers of OpenTelemetry's protocol for tests, by gRPC's own server and by HTTP. They keep what they are sent and
answer as they are told.

    with OtlpReceiver() as receiver:
        receiver.grpc, receiver.http        # http://127.0.0.1:PORT
        receiver.refusals.append(grpc.StatusCode.UNAVAILABLE)
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"
_TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
_METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"
NOT_HTTP = {grpc.StatusCode.UNAVAILABLE: 503, grpc.StatusCode.INVALID_ARGUMENT: 400}


class OtlpReceiver:
    """`refusals`: how the next calls end, one each. `answer`: the bytes of a good one."""

    def __init__(self) -> None:
        self.logs: list[ExportLogsServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.traces: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: list[grpc.StatusCode] = []
        self.answer = b""
        self._lock = threading.Lock()

    def __enter__(self) -> "OtlpReceiver":
        self._server = grpc.server(ThreadPoolExecutor(4))
        for service, signal in ((_LOGS, "logs"), (_METRICS, "metrics"), (_TRACES, "traces")):
            methods = {"Export": grpc.unary_unary_rpc_method_handler(self._grpc_handler(signal))}
            handler = grpc.method_handlers_generic_handler(service, methods)
            self._server.add_generic_rpc_handlers((handler,))
        self.grpc = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self._web = ThreadingHTTPServer(("127.0.0.1", 0), self._http_handler())
        self.http = f"http://127.0.0.1:{self._web.server_address[1]}"
        self._thread = threading.Thread(target=self._web.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()
        self._web.shutdown()
        self._web.server_close()
        self._thread.join()

    def records(self) -> list[LogRecord]:
        with self._lock:
            requests = list(self.logs)
        return [
            record
            for request in requests
            for of in request.resource_logs
            for library in of.instrumentation_library_logs
            for record in library.logs
        ]

    def spans(self) -> list[tuple[str, Span]]:
        """With the service that each is of."""
        with self._lock:
            requests = list(self.traces)
        return [
            (str(attributes(of.resource.attributes)["service.name"]), span)
            for request in requests
            for of in request.resource_spans
            for library in of.instrumentation_library_spans
            for span in library.spans
        ]

    def told_metrics(self) -> dict[str, Metric]:
        """The newest of each name."""
        with self._lock:
            requests = list(self.metrics)
        return {
            metric.name: metric
            for request in requests
            for of in request.resource_metrics
            for library in of.instrumentation_library_metrics
            for metric in library.metrics
        }

    def _take(self, signal: str, body: bytes, headers: dict[str, str]) -> grpc.StatusCode | None:
        with self._lock:
            self.headers.append(headers)
            if self.refusals:
                return self.refusals.pop(0)
            if signal == "logs":
                self.logs.append(ExportLogsServiceRequest.FromString(body))
            elif signal == "traces":
                self.traces.append(ExportTraceServiceRequest.FromString(body))
            else:
                self.metrics.append(ExportMetricsServiceRequest.FromString(body))
            return None

    def _grpc_handler(self, signal: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            headers = {str(name): str(value) for name, value in context.invocation_metadata()}
            refusal = self._take(signal, body, headers)
            if refusal is not None:
                context.abort(refusal, "as it was told")
            return self.answer

        return export

    def _http_handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                refusal = receiver._take(self.path.rpartition("/")[2], body, headers)
                self.send_response(200 if refusal is None else NOT_HTTP[refusal])
                self.end_headers()
                self.wfile.write(receiver.answer)

            def log_message(self, form: str, *words: object) -> None:
                pass

        return Handler


def plain(value: AnyValue) -> object:
    """A value as Python's."""
    if value.HasField("kvlist_value"):
        return attributes(value.kvlist_value.values)
    kind = value.WhichOneof("value")
    found: object = getattr(value, kind) if kind else None
    return found


def attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    return {pair.key: plain(pair.value) for pair in pairs}
