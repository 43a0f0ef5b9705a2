"""Spans that wait to be sent, and what they look like in Zipkin's JSON, version 2.

Zipkin merges what it is told twice of one span's ids, so a batch may be sent again. Bounded: what comes when it is full
is dropped, for the older ones belong to traces that are half told.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec
import orjson

from proa.core.config.mixer.own_parameters import Zipkin
from proa.core.mixer.spans import TraceSpan, is_chosen, span_of
from proa.core.mixer.templates import Instance

MOST: Final = 20_000
BATCH: Final = 500
CLIENT_SERVICE: Final = "source.workload.name"
SERVER_SERVICE: Final = "destination.workload.name"
"""Tags in which the names of both ends are unless others are named: those of the samples of 2018."""

Left = Literal["", "no_ids", "not_chosen", "no_room"]


class Batch(msgspec.Struct, frozen=True):
    """`spans`: how many are in it."""

    body: bytes
    spans: int


class Waiting:
    """Of one handler."""

    def __init__(self, parameters: Zipkin, most: int = MOST) -> None:
        share = parameters.sample_probability
        self._share = 1.0 if share is None else share
        self._client = parameters.client_service_tag or CLIENT_SERVICE
        self._server = parameters.server_service_tag or SERVER_SERVICE
        self._batch = parameters.batch_size or BATCH
        self._most = most
        self._spans: deque[TraceSpan] = deque()

    @property
    def is_a_batch(self) -> bool:
        return len(self._spans) >= self._batch

    def add(self, instance: Instance) -> Left:
        """Why it is not among them; "" when it is."""
        span = span_of(instance)
        if span is None:
            return "no_ids"
        if not is_chosen(span.trace_id, self._share):
            return "not_chosen"
        if len(self._spans) >= self._most:
            return "no_room"
        self._spans.append(span)
        return ""

    def drain(self) -> Iterator[Batch]:
        """What is not asked for yet stays."""
        while self._spans:
            some = [self._spans.popleft() for _ in range(min(self._batch, len(self._spans)))]
            yield Batch(orjson.dumps([self._written(span) for span in some]), len(some))

    def _written(self, span: TraceSpan) -> Mapping[str, object]:
        own, other = (self._client, self._server) if span.is_client else (self._server, self._client)
        tags = dict(span.tags)
        if span.status:
            tags["http.status_code"] = str(span.status)
        if span.has_failed:
            # Zipkin shows whatever has this tag as failed.
            tags.setdefault("error", str(span.status) if span.status else "no answer")
        written: dict[str, object] = {
            "traceId": span.trace_id,
            "id": span.span_id,
            "name": span.name,
            "kind": "CLIENT" if span.is_client else "SERVER",
            "localEndpoint": {"serviceName": span.tags.get(own, "")},
            "remoteEndpoint": {"serviceName": span.tags.get(other, "")},
            "tags": tags,
        }
        if span.parent_id:
            written["parentId"] = span.parent_id
        if span.begun:
            written["timestamp"] = span.begun // 1000
            if span.ended >= span.begun:
                # Zipkin takes 0 for a span that has not ended.
                written["duration"] = max(1, (span.ended - span.begun) // 1000)
        return written
