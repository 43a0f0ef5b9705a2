"""The bytes of delta xDS: responses are spliced from pieces that are serialised once, requests are decoded by upb.

Protobuf lets a message be the concatenation of its fields, so a response is its resources' pieces followed by a
few header fields, and the body of a resource, a serialised google.protobuf.Any, is never decoded on its way to a
proxy. Called by the machines of this folder and by benchmarks; decides nothing.
"""

from collections.abc import Iterable, Mapping

import msgspec
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from proa.core.pilot.resource import BY_URL, Resource, ResourceType

# Tags are (field number << 3) | 2, "length-delimited": envoy/service/discovery/v3/discovery.proto.
_RESOURCE_VERSION, _RESOURCE_BODY, _RESOURCE_NAME = b"\x0a", b"\x12", b"\x1a"
_RESOURCES, _TYPE_URL, _NONCE, _REMOVED = b"\x12", b"\x22", b"\x2a", b"\x32"
_INVALID_ARGUMENT = 3


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded DeltaDiscoveryRequest. `error` is None for an ACK or a plain subscription."""

    type_url: str
    nonce: str = ""
    error: str | None = None
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial: Mapping[str, str] = {}


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded DeltaDiscoveryResponse; the resources' bodies are opaque."""

    type: ResourceType
    nonce: str
    changed: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()


def _field(tag: bytes, body: bytes) -> bytes:
    length = len(body)
    if length < 0x80:
        return tag + bytes((length,)) + body
    digits = bytearray()
    while length >= 0x80:
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    digits.append(length)
    return b"".join((tag, digits, body))


_TYPE_FIELDS = {kind: _field(_TYPE_URL, kind.url.encode()) for kind in ResourceType}


def encode_resource(resource: Resource) -> bytes:
    """The resource as an element of DeltaDiscoveryResponse.resources, tag and length included."""
    message = b"".join(
        (
            _field(_RESOURCE_VERSION, resource.digest.encode()),
            _field(_RESOURCE_BODY, resource.body),
            _field(_RESOURCE_NAME, resource.name.encode()),
        )
    )
    return _field(_RESOURCES, message)


def encode_response(
    kind: ResourceType, nonce: str, pieces: Iterable[bytes], removed: Iterable[str] = ()
) -> bytes:
    """A DeltaDiscoveryResponse; `pieces` come from `encode_resource`."""
    parts = [*pieces, _TYPE_FIELDS[kind], _field(_NONCE, nonce.encode())]
    parts.extend(_field(_REMOVED, name.encode()) for name in removed)
    return b"".join(parts)


class Pieces:
    """Wire forms of resources, shared by all streams of a process. Owner: the composition root, one task at a time.

    Two generations bound the memory: when the young one exceeds the budget it becomes the old one, and what is
    still in use moves back when it is asked for. Keyed by version, so a stale piece is never served.
    """

    def __init__(self, budget_bytes: int = 64 * 1024 * 1024) -> None:
        self._budget = budget_bytes
        self._young: dict[tuple[ResourceType, str, str], bytes] = {}
        self._old: dict[tuple[ResourceType, str, str], bytes] = {}
        self._young_bytes = 0

    def encode(self, resource: Resource) -> bytes:
        key = (resource.type, resource.name, resource.digest)
        piece = self._young.get(key)
        if piece is not None:
            return piece
        piece = self._old.get(key) or encode_resource(resource)
        if self._young_bytes + len(piece) > self._budget:
            self._old, self._young, self._young_bytes = self._young, {}, 0
        self._young[key] = piece
        self._young_bytes += len(piece)
        return piece


def decode_request(body: bytes) -> Request:
    """Raises ValueError for bytes that are no DeltaDiscoveryRequest."""
    try:
        message = discovery_pb2.DeltaDiscoveryRequest.FromString(body)
    except DecodeError as error:
        raise ValueError("not a DeltaDiscoveryRequest") from error
    return Request(
        type_url=message.type_url,
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial=dict(sorted(message.initial_resource_versions.items())),  # a protobuf map has no order
    )


def encode_request(
    kind: ResourceType,
    *,
    node: bytes = b"",
    nonce: str = "",
    error: str | None = None,
    subscribe: Iterable[str] = (),
    unsubscribe: Iterable[str] = (),
    initial: Mapping[str, str] | None = None,
) -> bytes:
    """A DeltaDiscoveryRequest. `node` is a serialised Node; an `error` of any text makes it a NACK of `nonce`."""
    message = discovery_pb2.DeltaDiscoveryRequest(
        type_url=kind.url,
        response_nonce=nonce,
        resource_names_subscribe=list(subscribe),
        resource_names_unsubscribe=list(unsubscribe),
    )
    if initial:
        message.initial_resource_versions.update(initial)
    if error is not None:
        message.error_detail.CopyFrom(status_pb2.Status(code=_INVALID_ARGUMENT, message=error))
    body = message.SerializeToString()
    return _field(b"\x0a", node) + body if node else body


def decode_response(body: bytes) -> Response:
    """Raises ValueError for bytes that are no DeltaDiscoveryResponse of a type that Proa serves."""
    try:
        message = discovery_pb2.DeltaDiscoveryResponse.FromString(body)
    except DecodeError as error:
        raise ValueError("not a DeltaDiscoveryResponse") from error
    kind = BY_URL.get(message.type_url)
    if kind is None:
        raise ValueError(f"a response of the unknown type {message.type_url!r}")
    changed = tuple(
        Resource(type=kind, name=item.name, body=item.resource.SerializeToString(), digest=item.version)
        for item in message.resources
    )
    return Response(type=kind, nonce=message.nonce, changed=changed, removed=tuple(message.removed_resources))
