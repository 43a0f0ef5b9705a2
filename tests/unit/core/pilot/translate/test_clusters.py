"""How a cluster balances, connects and whom it trusts."""

import msgspec
import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.extensions.network.dns_resolver.cares.v3.cares_dns_resolver_pb2 import CaresDnsResolverConfig
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from proa.core.config.app_endpoint import AppEndpoint
from proa.core.model.service import Protocol
from proa.core.model.settings import Resolving
from proa.core.pilot.resource import Resource
from proa.core.pilot.simulate.clusters import internal_listener_of
from proa.core.pilot.simulate.resources import decode, unpack
from proa.core.pilot.translate.cluster_policy import UNLIMITED, ConnectionPool, Outlier
from proa.core.pilot.translate.clusters import (
    HTTP_OPTIONS,
    ClientTls,
    ClusterIntent,
    ConnectClusterIntent,
    InboundClusterIntent,
    build_black_hole,
    build_cluster,
    build_connect_cluster,
    build_inbound_cluster,
    build_passthrough,
    dns_cache,
)
from proa.core.pilot.translate.nearness import Preference
from proa.core.pilot.translate.operator_tls import OriginatedTls
from proa.testing.builders import endpoint

INTENT = ClusterIntent(
    name="outbound|80||a",
    protocol="HTTP",
    resolution="EDS",
    mesh_sni="outbound_.80_._.a",
    accounts=("spiffe://t/a",),
)


def built(**changes: object) -> Cluster:
    return decode(build_cluster(msgspec.structs.replace(INTENT, **changes)), Cluster)


def test_nothing_is_limited_and_nobody_panics_by_default() -> None:
    cluster = built()
    (limits,) = cluster.circuit_breakers.thresholds
    assert {limits.max_connections.value, limits.max_requests.value, limits.max_retries.value} == {UNLIMITED}
    assert cluster.common_lb_config.healthy_panic_threshold.value == 0
    assert not cluster.HasField("outlier_detection")


def test_limits_that_were_set() -> None:
    pool = ConnectionPool(max_connections=1, max_pending_requests=2, max_requests=3, max_retries=4)
    (limits,) = built(pool=pool).circuit_breakers.thresholds
    assert [
        limits.max_connections.value,
        limits.max_pending_requests.value,
        limits.max_requests.value,
        limits.max_retries.value,
    ] == [1, 2, 3, 4]


def test_outliers_of_nought_errors_are_not_looked_for() -> None:
    outlier = built(outlier=Outlier(consecutive_5xx=0, consecutive_gateway=3)).outlier_detection
    assert outlier.enforcing_consecutive_5xx.value == 0
    assert outlier.enforcing_consecutive_gateway_failure.value == 100
    assert outlier.enforcing_success_rate.value == 0


def test_dns_clusters_hold_their_endpoints() -> None:
    cluster = built(resolution="DNS", endpoints=(endpoint("db.example.com", 5432, tls="disabled"),))
    assert cluster.type == Cluster.STRICT_DNS
    assert cluster.load_assignment.endpoints[0].lb_endpoints
    assert built().eds_cluster_config.service_name == INTENT.name


@pytest.mark.parametrize(
    ("protocol", "field"),
    [
        ("HTTP", "http_protocol_options"),
        ("HTTP2", "http2_protocol_options"),
        ("GRPC", "http2_protocol_options"),
        ("AUTO", "use_downstream_protocol_config"),
    ],
)
def test_the_protocol_towards_the_server(protocol: Protocol, field: str) -> None:
    packed = built(protocol=protocol).typed_extension_protocol_options[HTTP_OPTIONS]
    options = unpack(packed, HttpProtocolOptions)
    assert options is not None
    explicit = options.explicit_http_config.WhichOneof("protocol_config")
    assert field in (explicit, options.WhichOneof("upstream_protocol_options"))


@pytest.mark.parametrize("protocol", ["TCP", "TLS"])
def test_streams_have_no_http_options(protocol: Protocol) -> None:
    assert not built(protocol=protocol).typed_extension_protocol_options


def test_who_is_expected_when_nobody_knows() -> None:
    resource = build_cluster(msgspec.structs.replace(INTENT, accounts=()))
    assert b"proa:no-account-known" in resource.body


def test_the_way_into_an_internal_listener() -> None:
    resource = build_connect_cluster(ConnectClusterIntent(port=80, listener="0.0.0.0_80"))
    assert resource.name == "connect_80"
    assert internal_listener_of(decode(resource, Cluster)) == "0.0.0.0_80"


def test_the_way_to_the_own_app() -> None:
    resource = build_inbound_cluster(
        InboundClusterIntent(service_port=80, app=AppEndpoint(port=8080), protocol="AUTO")
    )
    (group,) = decode(resource, Cluster).load_assignment.endpoints
    address = group.lb_endpoints[0].endpoint.address.socket_address
    assert (resource.name, address.address, address.port_value) == ("inbound|80||", "127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("resource", "name"),
    [(build_black_hole(), "BlackHoleCluster"), (build_passthrough(Resolving()), "PassthroughCluster")],
)
def test_clusters_that_every_scope_has(resource: Resource, name: str) -> None:
    assert decode(resource, Cluster).name == resource.name == name


@pytest.mark.parametrize("tls", [ClientTls(), ClientTls(mode="plain"), ClientTls(mode="mutual")])
def test_every_way_to_a_server_tells_whose_a_connection_is(tls: ClientTls) -> None:
    told, plain = built(tls=tls, proxy_protocol="V2"), built(tls=tls)
    for cluster, is_told in ((told, True), (plain, False)):
        sockets = [each.transport_socket for each in cluster.transport_socket_matches]
        names = {each.name for each in sockets or [cluster.transport_socket]}
        assert (names == {"envoy.transport_sockets.upstream_proxy_protocol"}) == is_told


def test_names_are_looked_up_once_or_all_their_addresses_are_taken() -> None:
    one, two = endpoint("a.example"), endpoint("b.example")
    resolving = Resolving(servers=("192.0.2.1:53", "[2001:db8::1]:54"), refresh_ms=7)
    cluster = built(resolution="DNS_ROUND_ROBIN", endpoints=(one,), resolving=resolving)
    assert cluster.type == Cluster.LOGICAL_DNS
    assert cluster.dns_refresh_rate.nanos == 7_000_000
    servers = decode_resolvers(cluster)
    assert servers == [("192.0.2.1", 53), ("2001:db8::1", 54)]
    several = built(resolution="DNS_ROUND_ROBIN", endpoints=(one, two))
    assert several.type == built(resolution="DNS", endpoints=(one,)).type == Cluster.STRICT_DNS
    elsewhere = Preference(shares=(("eu", 100),))
    nobody = built(resolution="DNS_ROUND_ROBIN", endpoints=(one,), preference=elsewhere)
    assert nobody.type == Cluster.STRICT_DNS, "an Envoy refuses one name of none"


def decode_resolvers(cluster: Cluster) -> list[tuple[str, int]]:
    config = CaresDnsResolverConfig.FromString(cluster.typed_dns_resolver_config.typed_config.value)
    return [(each.socket_address.address, each.socket_address.port_value) for each in config.resolvers]


def test_below_a_wildcard_the_server_must_have_the_name_that_is_asked_for() -> None:
    simple = ClientTls(mode="outside", outside=OriginatedTls(sni=""))
    cluster = built(resolution="DYNAMIC_DNS", tls=simple)
    assert cluster.cluster_type.name == "envoy.clusters.dynamic_forward_proxy"
    options = HttpProtocolOptions.FromString(cluster.typed_extension_protocol_options[HTTP_OPTIONS].value)
    asked = options.upstream_http_protocol_options
    assert (asked.auto_sni, asked.auto_san_validation) == (True, True)


def test_ways_of_looking_up_have_caches_of_their_own() -> None:
    assert dns_cache(Resolving()).name == "proa_outbound"
    assert dns_cache(Resolving(refresh_ms=1)).name != dns_cache(Resolving(refresh_ms=2)).name
