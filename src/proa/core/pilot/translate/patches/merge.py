"""MERGE: one message into another, as Istio does it.

Fields that are set replace; lists grow (unless they are to be replaced); maps by their keys; messages by their fields.
A duration, a wrapped number and their kin are one value and not two fields. What is in an Any is merged when both are
of one type, and replaced otherwise; a transport socket of another name is another socket.
"""

from typing import Final

from google.protobuf import message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from proa.core.config.kinds.envoy_filter.messages import type_of_url
from proa.core.pilot.translate.encode import pack

_ONE_VALUE: Final = frozenset(
    (
        *("google.protobuf.Duration", "google.protobuf.Timestamp", "google.protobuf.Value"),
        *("google.protobuf.BoolValue", "google.protobuf.StringValue", "google.protobuf.BytesValue"),
        *("google.protobuf.DoubleValue", "google.protobuf.FloatValue", "google.protobuf.Int32Value"),
        *("google.protobuf.Int64Value", "google.protobuf.UInt32Value", "google.protobuf.UInt64Value"),
        *("google.protobuf.ListValue", "envoy.type.v3.Percent", "envoy.type.v3.FractionalPercent"),
    )
)
_SOCKET: Final = "envoy.config.core.v3.TransportSocket"


def merge(target: Message, patch: Message, *, replace_lists: bool = False) -> None:
    """Changes `target`; `patch` is of the same type and stays."""
    for field, value in patch.ListFields():
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            _merge_map(target, field.name, value, inner.fields_by_name["value"].message_type is not None)
        elif field.is_repeated:
            if replace_lists:
                target.ClearField(field.name)
            getattr(target, field.name).extend(value)
        elif inner is None:
            setattr(target, field.name, value)
        else:
            _merge_message(target, field.name, value, replace_lists)


def _merge_map(target: Message, field: str, value: object, holds_messages: bool) -> None:
    """A map's messages are replaced, as in Istio."""
    kept = getattr(target, field)
    for key, content in value.items():  # type: ignore[attr-defined]  # a map: the stubs know no common type of maps
        if holds_messages:
            kept[key].CopyFrom(content)
        else:
            kept[key] = content


def _merge_message(target: Message, field: str, value: Message, replace_lists: bool) -> None:
    kept: Message = getattr(target, field)
    was_set = target.HasField(field)
    kind = value.DESCRIPTOR.full_name
    if isinstance(value, AnyMessage) and isinstance(kept, AnyMessage):
        kept.CopyFrom(merge_any(kept, value, replace_lists=replace_lists) if was_set else value)
    elif not was_set or kind in _ONE_VALUE or (kind == _SOCKET and _name(kept) != _name(value)):
        kept.CopyFrom(value)
    else:
        merge(kept, value, replace_lists=replace_lists)


def _name(message: Message) -> str:
    name: str = getattr(message, "name", "")
    return name


def merge_any(target: AnyMessage, patch: AnyMessage, *, replace_lists: bool = False) -> AnyMessage:
    descriptor = type_of_url(patch.type_url)
    if target.type_url != patch.type_url or descriptor is None:
        return patch
    merged = message_factory.GetMessageClass(descriptor).FromString(target.value)
    merge(
        merged,
        message_factory.GetMessageClass(descriptor).FromString(patch.value),
        replace_lists=replace_lists,
    )
    return pack(merged)
