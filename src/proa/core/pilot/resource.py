"""One xDS resource: the unit that is built once, shared by all who hold it, versioned by its content."""

from enum import Enum

import msgspec

from proa.core.model.names import ObjectRef


class ResourceType(Enum):
    """The xDS types Proa serves, in make-before-break order: what comes earlier must be there first."""

    CLUSTER = "envoy.config.cluster.v3.Cluster"
    ENDPOINT = "envoy.config.endpoint.v3.ClusterLoadAssignment"
    SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"
    LISTENER = "envoy.config.listener.v3.Listener"
    EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
    ROUTE = "envoy.config.route.v3.RouteConfiguration"
    VIRTUAL_HOST = "envoy.config.route.v3.VirtualHost"

    # Each member is one object: its identity is its hash. Enum's own is a call of Python, at every look into a table.
    __hash__ = object.__hash__

    @property
    def url(self) -> str:
        return f"type.googleapis.com/{self.value}"


BY_URL = {kind.url: kind for kind in ResourceType}
ORDER = tuple(ResourceType)


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is a serialised google.protobuf.Any; `digest` is the version; `objects` name the configuration
    the resource was made from, so that a proxy's refusal can name them. Equal digests mean equal bytes."""

    type: ResourceType
    name: str
    body: bytes
    digest: str
    objects: tuple[ObjectRef, ...] = ()
