"""What resources name: clusters of routes, routes and filters of listeners, endpoints of clusters."""

from collections.abc import Iterator

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as FilterState
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate.clusters import internal_listener_of
from proa.core.pilot.simulate.resources import decode, unpack


def routes_in(routes: RouteConfiguration) -> Iterator[str]:
    for host in routes.virtual_hosts:
        for route in host.routes:
            if route.HasField("route"):
                yield from [each.name for each in route.route.weighted_clusters.clusters] or [
                    route.route.cluster
                ]
            for packed in route.typed_per_filter_config.values():
                state = unpack(packed, FilterState)
                for value in state.on_request_headers if state else ():
                    if value.object_key == "envoy.tcp_proxy.cluster":
                        yield value.format_string.text_format_source.inline_string


def references(resource: Resource) -> Iterator[tuple[ResourceType, str]]:
    match resource.type:
        case ResourceType.CLUSTER:
            cluster = decode(resource, Cluster)
            if cluster.type == Cluster.EDS:
                yield ResourceType.ENDPOINT, cluster.eds_cluster_config.service_name
            if inner := internal_listener_of(cluster):
                yield ResourceType.LISTENER, inner
        case ResourceType.ROUTE:
            for name in routes_in(decode(resource, RouteConfiguration)):
                yield ResourceType.CLUSTER, name
        case ResourceType.LISTENER:
            listener = decode(resource, Listener)
            for chain in (*listener.filter_chains, listener.default_filter_chain):
                yield from chain_references(chain)


def chain_references(chain: FilterChain) -> Iterator[tuple[ResourceType, str]]:
    for each in chain.filters:
        proxy = unpack(each.typed_config, TcpProxy)
        if proxy is not None:
            weighted = [cluster.name for cluster in proxy.weighted_clusters.clusters]
            for name in weighted or [proxy.cluster]:
                yield ResourceType.CLUSTER, name
        manager = unpack(each.typed_config, HttpConnectionManager)
        if manager is None:
            continue
        if manager.HasField("rds"):
            yield ResourceType.ROUTE, manager.rds.route_config_name
        for name in routes_in(manager.route_config):
            yield ResourceType.CLUSTER, name
        for http in manager.http_filters:
            if http.HasField("config_discovery"):
                yield ResourceType.EXTENSION, http.name
