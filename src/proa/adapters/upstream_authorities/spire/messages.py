"""The messages of SPIRE's own API that we speak (`spire/api/server/svid/v1/svid.proto`), field for field. No package
that we use carries them. Those of the Workload API are in `core.auth.workload_api`."""

from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

SIGN: Final = "/spire.api.server.svid.v1.SVID/NewDownstreamX509CA"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto


def _described() -> descriptor_pb2.FileDescriptorProto:
    one, many = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED
    asked = descriptor_pb2.DescriptorProto(name="NewDownstreamX509CARequest")
    asked.field.add(name="csr", number=1, type=_FIELD.TYPE_BYTES, label=one)
    asked.field.add(name="preferred_ttl", number=2, type=_FIELD.TYPE_INT32, label=one)
    signed = descriptor_pb2.DescriptorProto(name="NewDownstreamX509CAResponse")
    signed.field.add(name="ca_cert_chain", number=1, type=_FIELD.TYPE_BYTES, label=many)
    signed.field.add(name="x509_authorities", number=2, type=_FIELD.TYPE_BYTES, label=many)
    return descriptor_pb2.FileDescriptorProto(
        name="proa/spire.proto",
        package="proa.spire",  # on the wire only numbers count
        syntax="proto3",
        message_type=[asked, signed],
    )


_KINDS: Final = message_factory.GetMessages([_described()], pool=descriptor_pool.DescriptorPool())
DownstreamRequest: Final[type[Message]] = _KINDS["proa.spire.NewDownstreamX509CARequest"]
DownstreamResponse: Final[type[Message]] = _KINDS["proa.spire.NewDownstreamX509CAResponse"]


def read(kind: type[Message], body: bytes) -> Message | None:
    """None for what is no such message."""
    message = kind()
    try:
        message.ParseFromString(body)
    except DecodeError:
        return None
    return message
