"""Pieces of which an expression's form in Envoy is made, and what stands in the way of one. Read by `envoy_form`."""

import math
from collections.abc import Mapping

import msgspec

from proa.core.attributes.time_texts import timestamp_text
from proa.core.attributes.value_types import Span, StringMap, Timestamp, Value, ValueType
from proa.core.expression.cel import FALSE, Cel, Literal, Method, Operation, choice, infix
from proa.core.expression.envoy_attributes import EnvoyAttribute, at_key, has_key, is_text

_YEARS = (Timestamp(-62_135_596_800 * 10**9), Timestamp(253_402_300_800 * 10**9))


class NoForm(msgspec.Struct, frozen=True):
    """`reason` says what stands in the way, `hint` what to write instead, if there is something."""

    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; {self.hint}" if self.hint else self.reason


class Obstacle(Exception):
    """Raised on the way, caught at the ends."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.form = NoForm(reason, hint)


class EnvoyText(msgspec.Struct, frozen=True):
    """A text, of which Envoy has more: `prefix` is in front of it."""

    cel: Cel
    prefix: str = ""


def is_string(value_type: ValueType) -> bool:
    return value_type is ValueType.STRING


def looked_up(found: EnvoyAttribute | StringMap, key: str, missing: Cel) -> Cel:
    """Header names are small in Mixer; Envoy would find others too."""
    if isinstance(found, Mapping):
        known = found.get(key)
        return missing if known is None else Literal(known)
    if found.small_keys and key != key.lower():
        return missing
    value = at_key(found.value, key)
    is_there = has_key(found.value, key)
    if found.texts_alone:
        is_there = choice(is_there, is_text(value), FALSE)
    return choice(is_there, value, missing)


def has_entry(found: EnvoyAttribute | StringMap, key: str) -> Cel:
    if isinstance(found, Mapping):
        return Literal(key in found)
    if found.small_keys and key != key.lower():
        return FALSE
    is_there = has_key(found.value, key)
    return choice(is_there, is_text(at_key(found.value, key)), FALSE) if found.texts_alone else is_there


def joined(operator: str, operands: list[Cel]) -> Cel:
    """Halved, so that long ones stay flat."""
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    return infix(joined(operator, operands[:middle]), operator, joined(operator, operands[middle:]))


def same_text(first: EnvoyText, second: EnvoyText, operator: str) -> Cel:
    if first.prefix == second.prefix:
        return infix(first.cel, operator, second.cel)
    with_prefix, other = (first, second) if first.prefix else (second, first)
    if not isinstance(other.cel, Literal):
        message = f"Envoy has {with_prefix.prefix} in front of one of the texts and cannot take it off"
        raise Obstacle(message, "compare it with a constant")
    return infix(with_prefix.cel, operator, Literal(f"{with_prefix.prefix}{other.cel.value}"))


def affix(text: EnvoyText, function: str, wanted: str) -> Cel:
    if not text.prefix or function == "startsWith":
        return Method(function, text.cel, (Literal(text.prefix + wanted),))
    # The end must not reach into what Envoy has in front.
    is_long = infix(Operation("size", (text.cel,)), ">=", Literal(len(text.prefix + wanted)))
    return infix(is_long, "&&", Method(function, text.cel, (Literal(wanted),)))


def constant(value: Value) -> Cel:
    match value:
        case bool() | str() | int():
            return Literal(value)
        case float() if math.isfinite(value):
            return Literal(value)
        case Span():
            return Operation("duration", (Literal(f"{value.nanoseconds}ns"),))
        case Timestamp() if _YEARS[0] <= value < _YEARS[1]:
            return Operation("timestamp", (Literal(timestamp_text(value)),))
        case _:
            raise Obstacle("Envoy's CEL has no such constant")


def whole(text: EnvoyText) -> Cel:
    """Where it is to be a value. Raises Obstacle."""
    if text.prefix:
        message = f"Envoy has {text.prefix} in front of this text and cannot take it off"
        raise Obstacle(message, "compare it with a constant")
    return text.cel
