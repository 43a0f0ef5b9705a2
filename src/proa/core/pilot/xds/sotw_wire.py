"""The bytes of state-of-the-world xDS: what gRPC's own client, and an Envoy that is told so, speak.

As in `wire`, bodies of resources are opaque and a response is spliced from serialised fields. Called by `sotw_server`
and, for the client's half, by tests. Decides nothing.
"""

from collections.abc import Iterable

import msgspec
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from proa.core.pilot.resource import BY_URL, Resource, ResourceType

_INVALID_ARGUMENT = 3


class SotwRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded DiscoveryRequest. `names` is all that is wanted of the type; `error` is None unless it is a NACK."""

    type_url: str
    version: str = ""
    nonce: str = ""
    error: str | None = None
    names: tuple[str, ...] = ()


class SotwResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded DiscoveryResponse. `bodies` are serialised google.protobuf.Any: names are inside them."""

    type: ResourceType
    version: str
    nonce: str
    bodies: tuple[bytes, ...] = ()


def decode_sotw_request(body: bytes) -> SotwRequest:
    """Raises ValueError for bytes that are no DiscoveryRequest."""
    try:
        message = discovery_pb2.DiscoveryRequest.FromString(body)
    except DecodeError as error:
        raise ValueError("not a DiscoveryRequest") from error
    return SotwRequest(
        type_url=message.type_url,
        version=message.version_info,
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
        names=tuple(message.resource_names),
    )


def encode_sotw_request(
    kind: ResourceType,
    names: Iterable[str] = (),
    *,
    version: str = "",
    nonce: str = "",
    error: str | None = None,
) -> bytes:
    """A DiscoveryRequest; an `error` of any text makes it a NACK of `nonce`."""
    message = discovery_pb2.DiscoveryRequest(
        type_url=kind.url, version_info=version, response_nonce=nonce, resource_names=list(names)
    )
    if error is not None:
        message.error_detail.CopyFrom(status_pb2.Status(code=_INVALID_ARGUMENT, message=error))
    return message.SerializeToString()


def encode_sotw_response(
    kind: ResourceType, resources: Iterable[Resource], *, version: str, nonce: str
) -> bytes:
    """A DiscoveryResponse. Bodies are copied in as they are: merging fields is what concatenation means."""
    head = discovery_pb2.DiscoveryResponse(version_info=version, type_url=kind.url, nonce=nonce)
    parts = [head.SerializeToString()]
    for resource in resources:
        parts.append(b"\x12" + _varint(len(resource.body)) + resource.body)
    return b"".join(parts)


def decode_sotw_response(body: bytes) -> SotwResponse:
    """Raises ValueError for bytes that are no DiscoveryResponse of a type that Proa serves."""
    try:
        message = discovery_pb2.DiscoveryResponse.FromString(body)
    except DecodeError as error:
        raise ValueError("not a DiscoveryResponse") from error
    kind = BY_URL.get(message.type_url)
    if kind is None:
        raise ValueError(f"a response of the unknown type {message.type_url!r}")
    return SotwResponse(
        type=kind,
        version=message.version_info,
        nonce=message.nonce,
        bodies=tuple(item.SerializeToString() for item in message.resources),
    )


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)
