"""Spans: what instances of `tracespan` say, as adapters that send them to a tracing system want it.

A span is told by the proxy at one end of a hop, and each end's has an id of its own: nothing is shared, and so
`rewrite_client_span_id`, which took ids apart that Envoys of 2018 shared, has nothing to do.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Timestamp
from proa.core.mixer.templates import Field, Instance

_TRACE: Final = re.compile(r"(?:[0-9a-f]{16}){1,2}")
_SPAN: Final = re.compile(r"[0-9a-f]{16}")
_ALL: Final = 1 << 64
_FIRST_ERROR: Final = 500


class TraceSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Ids are small hexadecimal digits, 16 of them or, of `trace_id`, 32. `parent_id` empty: it begins the trace, or
    nobody said. Times in nanoseconds since 1970, 0: not told. `status` 0: no answer."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str = ""
    is_client: bool = False
    begun: int = 0
    ended: int = 0
    status: int = 0
    tags: Map[str, str] = Map()

    @property
    def has_failed(self) -> bool:
        return not self.status or self.status >= _FIRST_ERROR


def span_of(instance: Instance) -> TraceSpan | None:
    """None: its ids are none, so that it belongs to no trace."""
    fields = instance.fields
    trace_id, span_id = _text(fields, "trace_id").lower(), _text(fields, "span_id").lower()
    if not _is_id(_TRACE, trace_id) or not _is_id(_SPAN, span_id):
        return None
    parent_id, status = _text(fields, "parent_span_id").lower(), fields.get("http_status_code")
    return TraceSpan(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id if _is_id(_SPAN, parent_id) and parent_id != span_id else "",
        name=_text(fields, "span_name"),
        is_client=fields.get("client_span") is True,
        begun=_time(fields, "start_time"),
        ended=_time(fields, "end_time"),
        status=status if isinstance(status, int) and not isinstance(status, bool) else 0,
        tags=instance.texts("span_tags"),
    )


def is_chosen(trace_id: str, share: float) -> bool:
    """Whether a trace is among this share of them, 0 to 1: the same for all its spans, wherever it is asked."""
    return int(trace_id[-16:], 16) < share * _ALL


def _is_id(form: re.Pattern[str], text: str) -> bool:
    return form.fullmatch(text) is not None and text.strip("0") != ""


def _text(fields: Mapping[str, Field], name: str) -> str:
    found = fields.get(name)
    return found if isinstance(found, str) else ""


def _time(fields: Mapping[str, Field], name: str) -> int:
    found = fields.get(name)
    return max(0, found.nanoseconds) if isinstance(found, Timestamp) else 0
