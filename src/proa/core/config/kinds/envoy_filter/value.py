"""Whether JSON is one of Envoy's messages: every field that is not, with its path.

`google.protobuf.json_format` stops at the first mistake and names it in its own way. So the tree is walked along the
message's descriptor, what is inside an Any too, and only single values are asked of json_format.
"""

import re
from collections.abc import Iterator
from typing import Final, cast

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from proa.core.config.kinds.envoy_filter.messages import DEEPEST, type_of_url
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import Json, shorten, type_name

_ANY: Final = "google.protobuf.Any"
_OWN_SPELLING: Final = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("Duration", "Timestamp", "FieldMask", "Struct", "Value", "ListValue"),
        *("BoolValue", "StringValue", "BytesValue", "DoubleValue", "FloatValue"),
        *("Int32Value", "Int64Value", "UInt32Value", "UInt64Value"),
    )
)
"""What JSON has a spelling of its own for."""
_WHERE: Final = re.compile(r"Failed to parse \S+ field: ")


def check_value(message: type[Message], value: dict[str, Json], at: Path) -> Iterator[Finding]:
    """Nothing, or everything that is wrong with it."""
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    found = list(_check_message(descriptor, value, at, 0))
    if not found:
        # What single values cannot tell: two members of a oneof.
        found.extend(_parsed(descriptor, value, at))
    yield from found


def _check_message(descriptor: Descriptor, value: Json, at: Path, depth: int) -> Iterator[Finding]:
    if depth > DEEPEST:
        yield Finding(at, "too-large", f"is nested deeper than {DEEPEST} levels; write it flatter")
    elif not isinstance(value, dict):
        message = f"expected an object ({descriptor.full_name}), found {type_name(value)}"
        yield Finding(at, "wrong-type", message)
    elif descriptor.full_name == _ANY:
        yield from _check_any(value, at, depth)
    else:
        fields = _fields_of(descriptor)
        for name, content in value.items():
            field = fields.get(name)
            if field is None:
                yield _unknown(descriptor, name, at)
            elif content is not None:
                yield from _check_field(descriptor, field, name, content, (*at, name), depth)


def _fields_of(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    """By both spellings, that of JSON and that of the .proto file: Envoy's own examples use the latter."""
    return {name: field for field in descriptor.fields for name in (field.name, field.json_name)}


def _unknown(descriptor: Descriptor, name: str, at: Path) -> Finding:
    names = [field.name for field in descriptor.fields]
    hint = suggestion(name, names) or f"; the fields here are {', '.join(names)}"
    message = f'Envoy\'s {descriptor.full_name} has no field "{shorten(name)}"{hint}'
    return Finding((*at, name), "unknown-field", message)


def _check_field(
    owner: Descriptor, field: FieldDescriptor, name: str, content: Json, at: Path, depth: int
) -> Iterator[Finding]:
    inner = field.message_type
    if inner is None or _is_leaf(inner):
        yield from _parsed(owner, {name: content}, at)
    elif inner.GetOptions().map_entry:
        values = inner.fields_by_name["value"].message_type
        if values is None or _is_leaf(values) or not isinstance(content, dict):
            yield from _parsed(owner, {name: content}, at)
        else:
            for key, each in content.items():
                yield from _check_message(values, each, (*at, key), depth + 1)
    elif field.is_repeated:
        if not isinstance(content, list):
            message = f"expected a list, found {type_name(content)}; begin each item with a dash"
            yield Finding(at, "wrong-type", message)
            return
        for index, each in enumerate(content):
            yield from _check_message(inner, each, (*at, index), depth + 1)
    else:
        yield from _check_message(inner, content, at, depth + 1)


def _is_leaf(descriptor: Descriptor) -> bool:
    return descriptor.full_name in _OWN_SPELLING


def _check_any(value: dict[str, Json], at: Path, depth: int) -> Iterator[Finding]:
    url = value.get("@type")
    if not isinstance(url, str) or not url:
        message = 'an object of any type says which by "@type": type.googleapis.com/envoy...; add it'
        yield Finding((*at, "@type"), "required", message)
        return
    inner = type_of_url(url)
    if inner is None:
        message = f'"{shorten(url)}" is no message of Envoy\'s; write type.googleapis.com/ and its full name'
        yield Finding((*at, "@type"), "bad-value", message)
        return
    rest = {name: content for name, content in value.items() if name != "@type"}
    if _is_leaf(inner):
        yield from _parsed(inner, rest.get("value"), (*at, "value"))
    else:
        yield from _check_message(inner, rest, at, depth + 1)


def _parsed(descriptor: Descriptor, value: Json, at: Path) -> Iterator[Finding]:
    message = message_factory.GetMessageClass(descriptor)()
    try:
        json_format.ParseDict(cast(dict[str, object], value), message, max_recursion_depth=DEEPEST)
    except (
        json_format.ParseError,
        ValueError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        reason = _WHERE.sub("", " ".join(str(error).split())) or type(error).__name__
        yield Finding(at, "bad-value", f"Envoy cannot read it: {reason[:200]}")
