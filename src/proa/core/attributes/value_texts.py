"""Values of attributes as JSON and back: how files of attributes, answers of `proa mixer eval` and logs write them.

| type | as JSON |
|---|---|
| INT64, DOUBLE, BOOL | a number, a number, true or false |
| TIMESTAMP | RFC 3339, `2015-01-02T15:04:35Z` |
| DURATION | Go's spelling, `19ms` |
| IP_ADDRESS | text; empty for an address that was not known |
| STRING_MAP | an object of texts |
| the others | text |
"""

import math
from collections.abc import Mapping

from proa.core.attributes.addresses import address_text, parse_address
from proa.core.attributes.time_texts import parse_span, parse_timestamp, span_text, timestamp_text
from proa.core.attributes.value_types import (
    INT64_MAX,
    INT64_MIN,
    Span,
    Timestamp,
    Value,
    ValueType,
)

Written = str | int | float | bool | dict[str, str]


def read_value(written: object, value_type: ValueType) -> Value:
    """Raises ValueError, its text telling what is expected."""
    match value_type:
        case ValueType.INT64:
            if type(written) is int and INT64_MIN <= written <= INT64_MAX:
                return written
        case ValueType.DOUBLE:
            if isinstance(written, (int, float)) and not isinstance(written, bool):
                return float(written)
        case ValueType.BOOL:
            if isinstance(written, bool):
                return written
        case ValueType.STRING_MAP:
            if isinstance(written, Mapping):
                return {_text(key): _text(text) for key, text in written.items()}
        case _:
            if isinstance(written, str):
                return _read_text(written, value_type)
    raise ValueError(f"expected {_EXPECTED[value_type]}")


def _text(part: object) -> str:
    if isinstance(part, str):
        return part
    raise ValueError("keys and values of a STRING_MAP are texts; put quotes around them")


def _read_text(text: str, value_type: ValueType) -> Value:
    value: Value | None
    match value_type:
        case ValueType.TIMESTAMP:
            value = parse_timestamp(text)
        case ValueType.DURATION:
            value = parse_span(text)
        case ValueType.IP_ADDRESS:
            value = parse_address(text) if text else b""
        case _:
            value = text
    if value is None:
        raise ValueError(f"expected {_EXPECTED[value_type]}")
    return value


_EXPECTED = {
    ValueType.STRING: "a text",
    ValueType.INT64: "a whole number of 64 bits",
    ValueType.DOUBLE: "a number",
    ValueType.BOOL: "true or false",
    ValueType.TIMESTAMP: "a time like 2015-01-02T15:04:35Z",
    ValueType.IP_ADDRESS: "an IP address",
    ValueType.EMAIL_ADDRESS: "a text",
    ValueType.URI: "a text",
    ValueType.DNS_NAME: "a text",
    ValueType.DURATION: "a duration like 19ms",
    ValueType.STRING_MAP: "an object of texts",
}


def written_value(value: Value) -> Written:
    """What JSON has no number for (infinities) becomes a text."""
    match value:
        case Timestamp():
            return timestamp_text(value)
        case Span():
            return span_text(value)
        case bytes():
            return address_text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case str() | int() | float():
            return value
        case _:
            return dict(value)
