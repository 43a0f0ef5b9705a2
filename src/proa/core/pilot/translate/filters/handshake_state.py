"""Envoy's network filter `set_filter_state` with `on_downstream_tls_handshake`, which the installed protobufs trail.

The message below is ours, field for field as Envoy 1.40 has it; whoever updates `xds-protos` to one that has the field
deletes this module.
"""

from typing import Final

from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage

TYPE_URL: Final = "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto


def _described() -> descriptor_pb2.FileDescriptorProto:
    message = descriptor_pb2.DescriptorProto(name="Config")
    for number, name in ((1, "on_new_connection"), (2, "on_downstream_tls_handshake")):
        message.field.add(
            name=name,
            number=number,
            label=_FIELD.LABEL_REPEATED,
            type=_FIELD.TYPE_MESSAGE,
            type_name=f".{FilterStateValue.DESCRIPTOR.full_name}",
        )
    return descriptor_pb2.FileDescriptorProto(
        name="proa/set_filter_state.proto",
        package="proa.envoy",
        syntax="proto3",
        dependency=[FilterStateValue.DESCRIPTOR.file.name],
        message_type=[message],
    )


class HandshakeState:
    """Values for the connection's filter state."""

    _pool: Final = descriptor_pool.Default()
    _kind: Final = message_factory.GetMessages([_described()], pool=_pool)["proa.envoy.Config"]

    @classmethod
    def after(cls, *values: FilterStateValue) -> AnyMessage:
        """The filter's configuration: set when the TLS handshake is over."""
        message = cls._kind(on_downstream_tls_handshake=values)
        return AnyMessage(type_url=TYPE_URL, value=message.SerializeToString(deterministic=True))
