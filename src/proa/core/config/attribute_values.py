"""A value of one of Mixer's attributes, written out. Shared by the kinds that have it."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Annotated

import msgspec
from immutables import Map

from proa.core.attributes.time_texts import parse_timestamp
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Double, Int64, Milliseconds, Record

Span = Annotated[int, Milliseconds(-(2**62))]


class StringMap(Record, frozen=True, kw_only=True):
    entries: Map[str, str] = Map()


class AttributeValue(Record, frozen=True, kw_only=True):
    """Exactly one; `bytes_value` in base64, `timestamp_value` in RFC 3339."""

    SNAKE_TOO = True

    string_value: str | None = None
    int64_value: Int64 | None = msgspec.field(default=None, name="int64Value")
    double_value: Double | None = None
    bool_value: bool | None = None
    bytes_value: str | None = None
    timestamp_value: str | None = None
    duration_value: Span | None = None
    string_map_value: StringMap | None = None


class Attributes(Record, frozen=True, kw_only=True):
    attributes: Map[str, AttributeValue] = Map()


def check_attributes(attributes: Attributes | None, at: Path) -> Iterator[Finding]:
    for name, value in attributes.attributes.items() if attributes else ():
        place = (*at, "attributes", name)
        given = [field for field in value.__struct_fields__ if getattr(value, field) is not None]
        if len(given) != 1:
            code = "conflict" if given else "required"
            yield Finding(place, code, "an attribute has one value, like stringValue; write one")
        if not name:
            yield Finding(place, "required", "an attribute needs a name; write it")
        if value.bytes_value is not None and not _is_base64(value.bytes_value):
            yield Finding((*place, "bytesValue"), "bad-value", "bytes are written in base64; write that")
        if value.timestamp_value is not None and parse_timestamp(value.timestamp_value) is None:
            message = "a point in time is like 2018-05-17T09:30:00Z; write one"
            yield Finding((*place, "timestampValue"), "bad-value", message)


def _is_base64(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except ValueError:
        return False
    return True
