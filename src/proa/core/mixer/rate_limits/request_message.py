"""`envoy.service.ratelimit.v3.RateLimitRequest` with bytes where Envoy's has texts.

A header may hold bytes that are no UTF-8, and Envoy hands them on as they are. The message as it is published cannot be
read then, and a caller could make himself unreadable, which is as good as uncharged. On the wire both are the same.
"""

from typing import Final

import msgspec
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError, Message

_PACKAGE: Final = "proa.ratelimit.v1"
_FILE: Final = "proa/ratelimit/v1/request.proto"


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    """`hits` None: the request's."""

    entries: tuple[tuple[str, str], ...]
    hits: int | None = None


class LimitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`hits` is at least 1."""

    domain: str
    descriptors: tuple[Descriptor, ...]
    hits: int = 1


class Unreadable(Exception):
    """These bytes are no request."""


def read_request(body: bytes) -> LimitRequest:
    """Raises Unreadable. What is no UTF-8 becomes `!`, as Envoy writes it where it has to."""
    try:
        message = _REQUEST.FromString(body)
    except DecodeError as error:
        raise Unreadable("that is no RateLimitRequest") from error
    return LimitRequest(
        domain=_text(message.domain),  # type: ignore[attr-defined]
        descriptors=tuple(
            Descriptor(
                entries=tuple((_text(entry.key), _text(entry.value)) for entry in each.entries),
                hits=each.hits_addend.value if each.HasField("hits_addend") else None,
            )
            for each in message.descriptors  # type: ignore[attr-defined]
        ),
        hits=message.hits_addend or 1,  # type: ignore[attr-defined]
    )


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "".join(chr(byte) if byte < 0x80 else "!" for byte in value)


def _declare() -> type[Message]:
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName(_FILE)
    except KeyError:
        pool.AddSerializedFile(_file().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Request"))


def _file() -> FileDescriptorProto:
    kinds, file = FieldDescriptorProto, FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
    entry, count = file.message_type.add(name="Entry"), file.message_type.add(name="Count")
    _field(entry, "key", 1, kinds.TYPE_BYTES)
    _field(entry, "value", 2, kinds.TYPE_BYTES)
    _field(count, "value", 1, kinds.TYPE_UINT64)
    descriptor = file.message_type.add(name="Descriptor")
    _field(descriptor, "entries", 1, kinds.TYPE_MESSAGE, of="Entry", repeated=True)
    _field(descriptor, "hits_addend", 3, kinds.TYPE_MESSAGE, of="Count")
    request = file.message_type.add(name="Request")
    _field(request, "domain", 1, kinds.TYPE_BYTES)
    _field(request, "descriptors", 2, kinds.TYPE_MESSAGE, of="Descriptor", repeated=True)
    _field(request, "hits_addend", 3, kinds.TYPE_UINT32)
    return file


def _field(
    message: DescriptorProto,
    name: str,
    number: int,
    kind: FieldDescriptorProto.Type.ValueType,
    *,
    of: str = "",
    repeated: bool = False,
) -> None:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    message.field.add(
        name=name, number=number, type=kind, label=label, type_name=f".{_PACKAGE}.{of}" if of else None
    )


_REQUEST: Final = _declare()
