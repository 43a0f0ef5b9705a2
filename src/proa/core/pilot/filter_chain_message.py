"""The message of Envoy's filter that holds a chain of filters, which the protobuf package does not have yet.

Declared as its .proto has it (envoy/extensions/filters/http/filter_chain/v3), field by field, and made by protobuf
itself: nothing here is encoded by hand."""

from collections.abc import Iterable
from typing import Final

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message

_PACKAGE: Final = "envoy.extensions.filters.http.filter_chain.v3"
_FILE: Final = "envoy/extensions/filters/http/filter_chain/v3/filter_chain.proto"
FILTER_CHAIN_URL: Final = f"type.googleapis.com/{_PACKAGE}.FilterChainConfig"


def _declare() -> None:
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName(_FILE)
        return
    except KeyError:
        pass
    file = FileDescriptorProto(
        name=_FILE, package=_PACKAGE, syntax="proto3", dependency=["envoy/config/core/v3/extension.proto"]
    )
    field = FieldDescriptorProto
    extension = ".envoy.config.core.v3.TypedExtensionConfig"
    chain = file.message_type.add(name="FilterChain")
    chain.field.add(
        name="filters", number=1, label=field.LABEL_REPEATED, type=field.TYPE_MESSAGE, type_name=extension
    )
    for name in ("FilterChainConfig", "FilterChainConfigPerRoute"):
        file.message_type.add(name=name).field.add(
            name="filter_chain",
            number=1,
            label=field.LABEL_OPTIONAL,
            type=field.TYPE_MESSAGE,
            type_name=f".{_PACKAGE}.FilterChain",
        )
    pool.AddSerializedFile(file.SerializeToString())


_declare()


def filter_chain(filters: Iterable[TypedExtensionConfig], *, per_route: bool = False) -> Message:
    """The filter's configuration; without filters it lets everything pass. `per_route`: what a route says instead."""
    config = _message(f"FilterChainConfig{'PerRoute' if per_route else ''}")
    held = tuple(filters)
    return config(filter_chain=_message("FilterChain")(filters=held)) if held else config()


def held_filters(config: AnyMessage) -> tuple[TypedExtensionConfig, ...] | None:
    """The filters of a chain, None for what is no chain. Raises DecodeError for bytes that are none."""
    if config.type_url != FILTER_CHAIN_URL:
        return None
    decoded = _message("FilterChainConfig").FromString(config.value)
    return tuple(
        each for _, chain in decoded.ListFields() for _, filters in chain.ListFields() for each in filters
    )


def _message(name: str) -> type[Message]:
    descriptor = descriptor_pool.Default().FindMessageTypeByName(f"{_PACKAGE}.{name}")
    return message_factory.GetMessageClass(descriptor)
