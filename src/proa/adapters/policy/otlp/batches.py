"""What waits to be sent to a collector: records and spans in the order in which they came, totals of metrics. A batch
is one request of the collector's service for its signal.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationLibrary
from opentelemetry.proto.logs.v1.logs_pb2 import InstrumentationLibraryLogs, LogRecord, ResourceLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import InstrumentationLibraryMetrics, ResourceMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import InstrumentationLibrarySpans, ResourceSpans, Span

from proa.adapters.policy.otlp.logs import Records
from proa.adapters.policy.otlp.spans import Told
from proa.adapters.policy.otlp.totals import MOST_SERIES, Total, Totals
from proa.adapters.policy.otlp.values import key_values
from proa.core.config.mixer.own_parameters import Otlp
from proa.core.mixer.templates import Instance

MOST_WAITING: Final = 20_000
BATCH: Final = 1000
SERVICE: Final = "service.name"
_LIBRARY: Final = InstrumentationLibrary(name="proa.mixer")
_OURS: Final = "proa-mixer"

Signal = Literal["logs", "metrics", "traces"]


class Batch(msgspec.Struct, frozen=True):
    """`count`: how many reported instances are in it. `totals` of metrics: the series, each with how many."""

    signal: Signal
    body: bytes
    count: int
    totals: Sequence[tuple[Total, int]] = ()


class Waiting:
    """Of one handler. `now`: nanoseconds since 1970."""

    def __init__(
        self,
        parameters: Otlp,
        now: Callable[[], int],
        most_waiting: int = MOST_WAITING,
        most_series: int = MOST_SERIES,
    ) -> None:
        self._now, self._most_waiting = now, most_waiting
        self._size = parameters.batch_size or BATCH
        self._records = Records(parameters)
        self._told = Told(parameters)
        self._logs: deque[LogRecord] = deque()
        self._spans: deque[tuple[str, Span]] = deque()
        self._totals = Totals(parameters, now(), most_series)
        self._named = {SERVICE: _OURS, **parameters.resource}
        self._resource = self._resource_of("")

    @property
    def is_full(self) -> bool:
        """Enough for a batch has come together."""
        return max(len(self._logs), len(self._spans)) >= self._size

    def add(self, instance: Instance) -> str:
        """Why it does not wait with the others; "" when it does."""
        if instance.template == "metric":
            return self._totals.add(instance)
        if instance.template == "tracespan":
            return self._add_span(instance)
        if len(self._logs) >= self._most_waiting:
            return "too_many_waiting"
        self._logs.append(self._records.of(instance, self._now()))
        return ""

    def _add_span(self, instance: Instance) -> str:
        told = self._told.of(instance)
        if isinstance(told, str):
            return told
        if len(self._spans) >= self._most_waiting:
            return "too_many_waiting"
        self._spans.append(told)
        return ""

    def drain(self) -> Iterator[Batch]:
        """What waits, a batch at a time: what is not asked for goes on waiting."""
        while self._logs:
            some = [self._logs.popleft() for _ in range(min(self._size, len(self._logs)))]
            yield self._logs_of(some)
        while self._spans:
            yield self._spans_of([self._spans.popleft() for _ in range(min(self._size, len(self._spans)))])
        changed = self._totals.changed()
        for start in range(0, len(changed), self._size):
            yield self._metrics_of(changed[start : start + self._size])

    def taken_back(self, batch: Batch) -> bool:
        """Whether what is in a batch that was not sent will be told by the next."""
        self._totals.untold(batch.totals)
        return bool(batch.totals)

    def _logs_of(self, records: Iterable[LogRecord]) -> Batch:
        library = InstrumentationLibraryLogs(instrumentation_library=_LIBRARY, logs=records)
        of = ResourceLogs(resource=self._resource, instrumentation_library_logs=[library])
        request = ExportLogsServiceRequest(resource_logs=[of])
        return Batch("logs", request.SerializeToString(), len(library.logs))

    def _spans_of(self, spans: Sequence[tuple[str, Span]]) -> Batch:
        """Each service is a resource."""
        by_service: dict[str, list[Span]] = {}
        for service, span in spans:
            by_service.setdefault(service, []).append(span)
        request = ExportTraceServiceRequest(
            resource_spans=[
                ResourceSpans(
                    resource=self._resource_of(service),
                    instrumentation_library_spans=[
                        InstrumentationLibrarySpans(instrumentation_library=_LIBRARY, spans=some)
                    ],
                )
                for service, some in by_service.items()
            ]
        )
        return Batch("traces", request.SerializeToString(), len(spans))

    def _resource_of(self, service: str) -> Resource:
        """`service` empty: what the parameters say, or our own name."""
        named = {**self._named, SERVICE: service} if service else self._named
        return Resource(attributes=key_values(named.items()))

    def _metrics_of(self, totals: Sequence[Total]) -> Batch:
        told = [(total, total.untold) for total in totals]
        for total in totals:
            total.untold = 0
        metrics = self._totals.metrics(totals, self._now())
        library = InstrumentationLibraryMetrics(instrumentation_library=_LIBRARY, metrics=metrics)
        of = ResourceMetrics(resource=self._resource, instrumentation_library_metrics=[library])
        body = ExportMetricsServiceRequest(resource_metrics=[of]).SerializeToString()
        return Batch("metrics", body, sum(values for _, values in told), told)
