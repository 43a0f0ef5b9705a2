"""What an EnvoyFilter says, as users write it. Read by its validator, by scope and by translation's patches."""

from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from immutables import Map

from proa.core.config.record import FreeObject, Int32, Record, Within
from proa.core.config.selection import TargetRef
from proa.core.config.workload_selector import WorkloadSelector

ApplyTo: TypeAlias = Literal[
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "LISTENER_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
]
Operation: TypeAlias = Literal[
    "MERGE",
    "ADD",
    "REMOVE",
    "INSERT_BEFORE",
    "INSERT_AFTER",
    "INSERT_FIRST",
    "REPLACE",
    "MERGE_AND_REPLACE_LIST",
]
Context: TypeAlias = Literal["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"]
RouteKind: TypeAlias = Literal["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"]
FilterClass: TypeAlias = Literal["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"]

# 0 is "any", as in Istio.
AnyPort = Annotated[int, Within(0, 65535)]


class ProxyMatch(Record, frozen=True, kw_only=True):
    """`proxy_version` is a regex on the metadata ISTIO_VERSION; `metadata` are exact texts."""

    proxy_version: str = ""
    metadata: Map[str, str] = Map()


class ClusterMatch(Record, frozen=True, kw_only=True):
    port_number: AnyPort = 0
    service: str = ""
    subset: str = ""
    name: str = ""


class RouteMatch(Record, frozen=True, kw_only=True):
    name: str = ""
    action: RouteKind = "ANY"


class VirtualHostMatch(Record, frozen=True, kw_only=True):
    name: str = ""
    domain_name: str = ""
    route: RouteMatch | None = None


class RouteConfigurationMatch(Record, frozen=True, kw_only=True):
    """`gateway` is `namespace/name` of a Gateway, `port_name` that of a server's port which ends TLS."""

    port_number: AnyPort = 0
    port_name: str = ""
    gateway: str = ""
    vhost: VirtualHostMatch | None = None
    name: str = ""


class SubFilterMatch(Record, frozen=True, kw_only=True):
    name: str = ""


class FilterMatch(Record, frozen=True, kw_only=True):
    name: str = ""
    sub_filter: SubFilterMatch | None = None


class FilterChainMatch(Record, frozen=True, kw_only=True):
    """`application_protocols` is a list with commas: the chain's match must have each."""

    name: str = ""
    sni: str = ""
    transport_protocol: str = ""
    application_protocols: str = ""
    filter: FilterMatch | None = None
    destination_port: AnyPort = 0
    transport_socket: str = ""


class ListenerMatch(Record, frozen=True, kw_only=True):
    IDLE = MappingProxyType({"portName": "Istio does not read it either"})

    port_number: AnyPort = 0
    port_name: str = ""
    filter_chain: FilterChainMatch | None = None
    listener_filter: str = ""
    name: str = ""


class WaypointFilterMatch(Record, frozen=True, kw_only=True):
    name: str = ""
    sub_filter: SubFilterMatch | None = None


class WaypointRouteMatch(Record, frozen=True, kw_only=True):
    name: str = ""


class WaypointMatch(Record, frozen=True, kw_only=True):
    """Of Istio's waypoints, which Proa has none of: read, and nothing matches it."""

    port_number: AnyPort = 0
    route: WaypointRouteMatch | None = None
    filter: WaypointFilterMatch | None = None


class ObjectMatch(Record, frozen=True, kw_only=True):
    IDLE = MappingProxyType({"waypoint": "Proa has no waypoints"})

    context: Context = "ANY"
    proxy: ProxyMatch | None = None
    listener: ListenerMatch | None = None
    route_configuration: RouteConfigurationMatch | None = None
    cluster: ClusterMatch | None = None
    waypoint: WaypointMatch | None = None


class Patch(Record, frozen=True, kw_only=True):
    """`value` is one of Envoy's messages as JSON."""

    IDLE = MappingProxyType({"filterClass": "Istio does not read it either"})

    operation: Operation
    value: FreeObject | None = None
    filter_class: FilterClass = "UNSPECIFIED"


class ConfigPatch(Record, frozen=True, kw_only=True):
    apply_to: ApplyTo
    match: ObjectMatch = ObjectMatch()
    patch: Patch


class EnvoyFilter(Record, frozen=True, kw_only=True):
    """No selector: all workloads of the namespace, or of the mesh when it lies in the root namespace. `target_refs`
    choose in its place: what serves a Gateway (of Gateway API) or a Service of the same namespace. Of several the lower
    priority goes first."""

    workload_selector: WorkloadSelector | None = None
    target_refs: tuple[TargetRef, ...] = ()
    config_patches: tuple[ConfigPatch, ...] = ()
    priority: Int32 = 0
