"""The types an attribute can have, and what a value of each is in Python.

| type | in Python |
|---|---|
| STRING, DNS_NAME, EMAIL_ADDRESS, URI | str |
| INT64 | int of 64 bits, with sign; never bool |
| DOUBLE | float |
| BOOL | bool |
| TIMESTAMP, DURATION | Timestamp, Span: whole nanoseconds |
| IP_ADDRESS | bytes, 4 or 16 of them (or none: an address that was not known) |
| STRING_MAP | dict or immutables.Map of str to str |

A bag holds the values by attribute name. An attribute that is absent is not in it; None is no value.
"""

import enum
from collections.abc import Mapping
from typing import Protocol, TypeAlias

import msgspec
from immutables import Map

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class ValueType(enum.Enum):
    """Numbered as in istio.policy.v1beta1.ValueType."""

    STRING = 1
    INT64 = 2
    DOUBLE = 3
    BOOL = 4
    TIMESTAMP = 5
    IP_ADDRESS = 6
    EMAIL_ADDRESS = 7
    URI = 8
    DNS_NAME = 9
    DURATION = 10
    STRING_MAP = 11

    def __str__(self) -> str:
        return self.name


class Timestamp(msgspec.Struct, frozen=True, order=True):
    """Nanoseconds since 1970 in UTC."""

    nanoseconds: int


class Span(msgspec.Struct, frozen=True, order=True):
    """A DURATION: nanoseconds, negative ones too."""

    nanoseconds: int


StringMap: TypeAlias = Mapping[str, str]
Value: TypeAlias = str | int | float | bool | bytes | Timestamp | Span | StringMap


class Bag(Protocol):
    """What an expression reads: a dict will do. None says that the attribute is absent."""

    def get(self, name: str, /) -> Value | None: ...


def has_type(value: Value, value_type: ValueType) -> bool:
    """Whether it is a value of that type, as the table above says."""
    match value_type:
        case ValueType.STRING | ValueType.DNS_NAME | ValueType.EMAIL_ADDRESS | ValueType.URI:
            return isinstance(value, str)
        case ValueType.INT64:
            return type(value) is int and INT64_MIN <= value <= INT64_MAX
        case ValueType.DOUBLE:
            return isinstance(value, float)
        case ValueType.BOOL:
            return isinstance(value, bool)
        case ValueType.TIMESTAMP:
            return isinstance(value, Timestamp)
        case ValueType.DURATION:
            return isinstance(value, Span)
        case ValueType.IP_ADDRESS:
            return isinstance(value, bytes)
        case ValueType.STRING_MAP:
            return isinstance(value, (dict, Map))
