"""What an EnvoyFilter says, as users write it. Read by its validator."""

from types import MappingProxyType
from typing import Literal

from immutables import Map

from proa.core.config.record import Count32, FreeObject, Int32, ReadOnlySpec, Record
from proa.core.config.selection import NO_WAYPOINTS, TargetRef

ApplyTo = Literal[
    "INVALID",
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
    "LISTENER_FILTER",
]
PatchContext = Literal["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"]
RouteAction = Literal["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"]
Operation = Literal[
    "INVALID",
    "MERGE",
    "ADD",
    "REMOVE",
    "INSERT_BEFORE",
    "INSERT_AFTER",
    "INSERT_FIRST",
    "REPLACE",
    "MERGE_AND_REPLACE_LIST",
]
FilterClass = Literal["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"]


class WorkloadSelector(Record, frozen=True, kw_only=True):
    labels: Map[str, str] = Map()


class ProxyMatch(Record, frozen=True, kw_only=True):
    """`proxy_version` is a regular expression."""

    proxy_version: str = ""
    metadata: Map[str, str] = Map()


class ClusterMatch(Record, frozen=True, kw_only=True):
    port_number: Count32 = 0
    service: str = ""
    subset: str = ""
    name: str = ""


class RouteMatch(Record, frozen=True, kw_only=True):
    name: str = ""
    action: RouteAction = "ANY"


class VirtualHostMatch(Record, frozen=True, kw_only=True):
    name: str = ""
    domain_name: str = ""
    route: RouteMatch | None = None


class RouteConfigurationMatch(Record, frozen=True, kw_only=True):
    port_number: Count32 = 0
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
    name: str = ""
    sni: str = ""
    transport_protocol: str = ""
    application_protocols: str = ""
    filter: FilterMatch | None = None
    destination_port: Count32 = 0
    transport_socket: str = ""


class ListenerMatch(Record, frozen=True, kw_only=True):
    port_number: Count32 = 0
    port_name: str = ""
    filter_chain: FilterChainMatch | None = None
    listener_filter: str = ""
    name: str = ""


class WaypointRouteMatch(Record, frozen=True, kw_only=True):
    name: str = ""


class WaypointMatch(Record, frozen=True, kw_only=True):
    port_number: Count32 = 0
    route: WaypointRouteMatch | None = None
    filter: FilterMatch | None = None


class ObjectMatch(Record, frozen=True, kw_only=True):
    """At most one of the four kinds of objects."""

    context: PatchContext = "ANY"
    proxy: ProxyMatch | None = None
    listener: ListenerMatch | None = None
    route_configuration: RouteConfigurationMatch | None = None
    cluster: ClusterMatch | None = None
    waypoint: WaypointMatch | None = None


class Patch(Record, frozen=True, kw_only=True):
    """`value` is a piece of Envoy's configuration, as JSON."""

    operation: Operation = "INVALID"
    value: FreeObject | None = None
    filter_class: FilterClass = "UNSPECIFIED"


class ConfigPatch(Record, frozen=True, kw_only=True):
    apply_to: ApplyTo = "INVALID"
    match: ObjectMatch | None = None
    patch: Patch | None = None


class EnvoyFilter(ReadOnlySpec, frozen=True, kw_only=True):
    """Applied in order of `priority`; a negative one comes before the others."""

    IDLE = MappingProxyType(dict.fromkeys(("targetRefs",), NO_WAYPOINTS))

    workload_selector: WorkloadSelector | None = None
    target_refs: tuple[TargetRef, ...] = ()
    config_patches: tuple[ConfigPatch, ...] = ()
    priority: Int32 = 0
