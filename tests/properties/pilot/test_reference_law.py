"""No proxy is ever sent a name that leads nowhere, nor routes that Envoy refuses as a whole."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.control_plane.proxy_source import ProxySource
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate.clusters import internal_listener_of
from proa.core.pilot.simulate.resources import decode, unpack
from proa.testing.builders import Mesh, simple
from proa.testing.strategies import GATEWAY, changes

CLUSTER, LISTENER = ResourceType.CLUSTER, ResourceType.LISTENER
PROXIES = (WorkloadId("default", "client"), WorkloadId("default", "a-1"), WorkloadId("shop", "b-1"), GATEWAY)


def resources(source: ProxySource) -> Iterator[Resource]:
    for kind in ResourceType:
        for name in source.names(kind):
            found = source.lookup(kind, name)
            assert found is not None
            yield found


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


@settings(max_examples=40)
@given(st.lists(changes(), min_size=1, max_size=8))
def test_every_reference_exists(told: list[Change]) -> None:
    mesh = Mesh(simple("default/a", "v1"))
    mesh.world.fold_in(told)
    for proxy in PROXIES:
        source = mesh.source(proxy)
        # As Envoy does: all clusters and listeners, then what they name, and so on.
        waiting = [(kind, name) for kind in (CLUSTER, LISTENER) for name in source.names(kind)]
        while waiting:
            kind, name = waiting.pop()
            found = source.lookup(kind, name)
            assert found is not None, f"{kind} {name} is missing"
            for reference in references(found):
                if reference[0] in (CLUSTER, LISTENER):
                    assert reference[1] in source.names(reference[0]), f"{name} names {reference[1]}"
                else:
                    waiting.append(reference)


@settings(max_examples=60)
@given(st.lists(changes(), min_size=1, max_size=8))
def test_a_route_configuration_has_each_domain_once(told: list[Change]) -> None:
    mesh = Mesh(simple("default/a", "v1"))
    mesh.world.fold_in(told)
    for proxy in PROXIES:
        for resource in resources(mesh.source(proxy)):
            if resource.type is ResourceType.ROUTE:
                hosts = decode(resource, RouteConfiguration).virtual_hosts
                domains = [domain.lower() for host in hosts for domain in host.domains]
                assert len(domains) == len(set(domains))
                assert len(hosts) == len({host.name for host in hosts})
                assert all(host.domains for host in hosts)


@settings(max_examples=40)
@given(st.lists(changes(), min_size=1, max_size=8))
def test_equal_versions_are_equal_bytes_and_bytes_say_their_own_name(told: list[Change]) -> None:
    mesh = Mesh()
    seen: dict[tuple[ResourceType, str, str], bytes] = {}
    for each in told:
        mesh.world.fold_in([each])
        for proxy in PROXIES:
            for resource in resources(mesh.source(proxy)):
                key = (resource.type, resource.name, resource.digest)
                assert seen.setdefault(key, resource.body) == resource.body
    assert len(set(seen.values())) == len({digest for _, _, digest in seen})


@settings(max_examples=80)
@given(st.lists(changes(), min_size=1, max_size=8))
def test_no_two_filter_chains_take_one_connection(told: list[Change]) -> None:
    mesh = Mesh(simple("default/a", "v1"))
    mesh.world.fold_in(told)
    for proxy in PROXIES:
        for resource in resources(mesh.source(proxy)):
            if resource.type is ResourceType.LISTENER:
                listener = decode(resource, Listener)
                taken = [each for chain in listener.filter_chains for each in connections_of(chain)]
                assert len(taken) == len(set(taken)), resource.name
                names = [chain.name for chain in listener.filter_chains]
                assert len(names) == len(set(names))
                assert names, resource.name


def connections_of(chain: FilterChain) -> Iterator[tuple[str, str, str, str]]:
    """What a chain takes: network, name asked for, transport and application protocol, empty for any."""
    match = chain.filter_chain_match
    networks = [f"{each.address_prefix}/{each.prefix_len.value}" for each in match.prefix_ranges]
    for network in networks or [""]:
        for name in match.server_names or [""]:
            for protocol in match.application_protocols or [""]:
                yield network, name, match.transport_protocol, protocol
