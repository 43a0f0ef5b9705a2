"""Resources back into messages. All decoding of the simulation is here."""

from collections.abc import Callable
from typing import TypeVar

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Metadata
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message

from proa.core.pilot.resource import Resource, ResourceType

Lookup = Callable[[ResourceType, str], Resource | None]
M = TypeVar("M", bound=Message)


class BadResource(ValueError):
    """Bytes that are not what their name says: no proxy would take them."""


def unpack(packed: AnyMessage, kind: type[M]) -> M | None:
    """The message in an Any if it is of that kind. Raises BadResource for bytes that are none."""
    if packed.type_url.rpartition("/")[2] != kind.DESCRIPTOR.full_name:
        return None
    try:
        return kind.FromString(packed.value)
    except DecodeError as error:
        raise BadResource(f"not a {kind.DESCRIPTOR.full_name}") from error


class Decoder:
    """Named resources of one proxy as messages, each decoded once."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._decoded: dict[tuple[ResourceType, str], Message | None] = {}

    def listener(self, name: str) -> Listener | None:
        return self._get(ResourceType.LISTENER, name, Listener)

    def routes(self, name: str) -> RouteConfiguration | None:
        return self._get(ResourceType.ROUTE, name, RouteConfiguration)

    def cluster(self, name: str) -> Cluster | None:
        return self._get(ResourceType.CLUSTER, name, Cluster)

    def endpoints(self, name: str) -> ClusterLoadAssignment | None:
        return self._get(ResourceType.ENDPOINT, name, ClusterLoadAssignment)

    def extension(self, name: str) -> TypedExtensionConfig | None:
        return self._get(ResourceType.EXTENSION, name, TypedExtensionConfig)

    def _get(self, kind: ResourceType, name: str, message: type[M]) -> M | None:
        key = (kind, name)
        if key not in self._decoded:
            resource = self._lookup(kind, name)
            self._decoded[key] = decode(resource, message) if resource is not None else None
        found = self._decoded[key]
        assert found is None or isinstance(found, message)
        return found


def decode(resource: Resource, kind: type[M]) -> M:
    """The message of a resource. Raises BadResource."""
    try:
        packed = AnyMessage.FromString(resource.body)
    except DecodeError as error:
        raise BadResource(f"{resource.name}: not an Any") from error
    message = unpack(packed, kind)
    if message is None:
        raise BadResource(f"{resource.name}: a {packed.type_url}, not a {kind.DESCRIPTOR.full_name}")
    return message


def objects_of(metadata: Metadata) -> tuple[str, ...]:
    """The configuration that a message names as its origin (`Kind/namespace/name`)."""
    fields = metadata.filter_metadata["proa"].fields if "proa" in metadata.filter_metadata else {}
    return (
        tuple(value.string_value for value in fields["objects"].list_value.values)
        if "objects" in fields
        else ()
    )


def rule_of(metadata: Metadata) -> str:
    """Which rule of the first object, like `http[0]`."""
    fields = metadata.filter_metadata["proa"].fields if "proa" in metadata.filter_metadata else {}
    return fields["rule"].string_value if "rule" in fields else ""
