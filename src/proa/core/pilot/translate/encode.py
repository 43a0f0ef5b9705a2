"""How messages become a Resource's bytes: deterministic, packed once, versioned by content."""

from collections.abc import Iterable

from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.core.v3.base_pb2 import Metadata
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.wrappers_pb2 import BoolValue, DoubleValue, UInt32Value

from proa.core.model.digest import digest_bytes
from proa.core.model.names import ObjectRef
from proa.core.pilot.resource import Resource, ResourceType

ADS = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


def pack(message: Message) -> AnyMessage:
    """The message in an Any, with its maps in a stable order."""
    return AnyMessage(
        type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        value=message.SerializeToString(deterministic=True),
    )


def build_resource(
    kind: ResourceType, name: str, message: Message, objects: Iterable[ObjectRef] = ()
) -> Resource:
    body = pack(message).SerializeToString(deterministic=True)
    return Resource(type=kind, name=name, body=body, digest=digest_bytes(body), objects=tuple(objects))


def millis(value: int) -> Duration:
    return Duration(seconds=value // 1000, nanos=value % 1000 * 1_000_000)


def uint32(value: int) -> UInt32Value:
    return UInt32Value(value=value)


def boolean(value: bool) -> BoolValue:
    return BoolValue(value=value)


def double(value: float) -> DoubleValue:
    return DoubleValue(value=value)


def socket_address(address: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=address, port_value=port))


def _value(item: str | list[str]) -> Value:
    if isinstance(item, str):
        return Value(string_value=item)
    return Value(list_value=ListValue(values=[Value(string_value=text) for text in item]))


def struct(**fields: str | list[str]) -> Struct:
    return Struct(fields={key: _value(item) for key, item in fields.items()})


def provenance(objects: Iterable[ObjectRef], rule: str = "") -> Metadata:
    """Where a thing comes from, readable in any config dump: the objects, and which rule of the first.

    No line numbers and no versions: an edit that changes no meaning must change no byte.
    """
    names = [str(ref) for ref in objects]
    if not names:
        return Metadata()
    fields: dict[str, str | list[str]] = {"objects": names}
    if rule:
        fields["rule"] = rule
    return Metadata(filter_metadata={"proa": struct(**fields)})
