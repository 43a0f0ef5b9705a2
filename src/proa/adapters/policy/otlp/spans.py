"""Spans of rules as OpenTelemetry's, and whose they are: each is its end's, which a tag of it names."""

from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from proa.adapters.policy.otlp.values import clean, key_values
from proa.core.config.mixer.own_parameters import Otlp
from proa.core.mixer.spans import TraceSpan, is_chosen, span_of
from proa.core.mixer.templates import Instance

CLIENT_SERVICE: Final = "source.workload.name"
SERVER_SERVICE: Final = "destination.workload.name"
"""Tags in which the names of both ends are unless others are named: those of the samples of 2018."""
_STATUS: Final = "http.response.status_code"
_TRACE: Final = 32


class Told:
    """Of one handler: which spans are sent, and in which service's name."""

    def __init__(self, parameters: Otlp) -> None:
        share = parameters.sample_probability
        self._share = 1.0 if share is None else share
        self._client = parameters.client_service_tag or CLIENT_SERVICE
        self._server = parameters.server_service_tag or SERVER_SERVICE

    def of(self, instance: Instance) -> tuple[str, Span] | str:
        """Its service, empty where no tag names it, and the span; or why there is none."""
        span = span_of(instance)
        if span is None:
            return "no_ids"
        if not is_chosen(span.trace_id, self._share):
            return "not_chosen"
        return span.tags.get(self._client if span.is_client else self._server, ""), _written(span)


def _written(span: TraceSpan) -> Span:
    """A server has failed by its own faults alone; a client sees an error in each status from 400."""
    status = [(_STATUS, span.status)] if span.status else []
    failed = span.has_failed or (span.is_client and span.status >= 400)
    return Span(
        trace_id=bytes.fromhex(span.trace_id.zfill(_TRACE)),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id),
        name=clean(span.name),
        kind=Span.SpanKind.SPAN_KIND_CLIENT if span.is_client else Span.SpanKind.SPAN_KIND_SERVER,
        start_time_unix_nano=span.begun,
        end_time_unix_nano=max(span.begun, span.ended),
        attributes=key_values([*span.tags.items(), *status]),
        status=Status(code=Status.StatusCode.STATUS_CODE_ERROR) if failed else None,
    )
