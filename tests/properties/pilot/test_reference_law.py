"""No proxy is ever sent a name that leads nowhere, nor routes that Envoy refuses as a whole."""

from collections.abc import Iterator

from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.control_plane.proxy_source import ProxySource
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate.resources import decode
from proa.testing.builders import Mesh, simple
from proa.testing.strategies import GATEWAY, changes
from tests.properties.pilot.references import references

CLUSTER, LISTENER = ResourceType.CLUSTER, ResourceType.LISTENER
PROXIES = (WorkloadId("default", "client"), WorkloadId("default", "a-1"), WorkloadId("shop", "b-1"), GATEWAY)


def resources(source: ProxySource) -> Iterator[Resource]:
    for kind in ResourceType:
        for name in source.names(kind):
            found = source.lookup(kind, name)
            assert found is not None
            yield found


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
