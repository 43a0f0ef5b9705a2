"""Clusters (CDS): one per service port and subset, with how to balance, how to connect and whom to trust.

mTLS is chosen per endpoint by its metadata, so a service that is only half in the mesh works, and a change of
mode moves endpoint by endpoint without touching the cluster.
"""

from typing import Final, Literal

import msgspec
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, EnvoyInternalAddress, Pipe
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.protocol_pb2 import Http1ProtocolOptions, Http2ProtocolOptions
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint as EnvoyEndpoint
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.clusters.dynamic_forward_proxy.v3.cluster_pb2 import ClusterConfig
from envoy.extensions.common.dynamic_forward_proxy.v3.dns_cache_pb2 import DnsCacheConfig
from envoy.extensions.network.dns_resolver.cares.v3.cares_dns_resolver_pb2 import CaresDnsResolverConfig
from envoy.extensions.transport_sockets.internal_upstream.v3.internal_upstream_pb2 import (
    InternalUpstreamTransport,
)
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as upstream_http
from envoy.type.v3.percent_pb2 import Percent

from proa.core.auth.hop import ClientRule
from proa.core.config.app_endpoint import AppEndpoint
from proa.core.model.digest import digest_of
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef
from proa.core.model.service import Protocol
from proa.core.model.settings import DNS_REFRESH_MS, Resolving
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate import tls
from proa.core.pilot.translate.cluster_policy import (
    Balancing,
    ConnectionPool,
    Outlier,
    balance,
    circuit_breakers,
    eject,
    http_options,
    keep_alive,
)
from proa.core.pilot.translate.encode import (
    ADS,
    build_resource,
    millis,
    pack,
    provenance,
    socket_address,
    struct,
)
from proa.core.pilot.translate.endpoints import build_load_assignment
from proa.core.pilot.translate.nearness import Preference
from proa.core.pilot.translate.operator_tls import OriginatedTls, begin_tls

HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
BLACK_HOLE: Final = "BlackHoleCluster"
PASSTHROUGH: Final = "PassthroughCluster"


def resolver(servers: tuple[str, ...]) -> TypedExtensionConfig:
    """c-ares, with these `address:port` in place of the host's own servers."""
    config = CaresDnsResolverConfig(resolvers=[_server(each) for each in servers])
    return TypedExtensionConfig(name="envoy.network.dns_resolver.cares", typed_config=pack(config))


def _server(text: str) -> Address:
    address, _, port = text.rpartition(":")
    return socket_address(address.strip("[]"), int(port))


def dns_cache(resolving: Resolving) -> DnsCacheConfig:
    """What the forward proxy's filter and its clusters share. A cache's name stands for one way of looking up: Envoy
    refuses another under the same."""
    if resolving == Resolving():
        return DnsCacheConfig(name="proa_outbound", dns_lookup_family=Cluster.V4_PREFERRED)
    cache = DnsCacheConfig(
        name=f"proa_outbound_{digest_of(resolving)[:16]}", dns_lookup_family=Cluster.V4_PREFERRED
    )
    backoff = Cluster.RefreshRate(
        base_interval=millis(resolving.refresh_ms), max_interval=millis(resolving.refresh_ms)
    )
    cache.dns_failure_refresh_rate.CopyFrom(backoff)
    if resolving.servers:
        cache.typed_dns_resolver_config.CopyFrom(resolver(resolving.servers))
    return cache


Discovery = Literal["EDS", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]


class ClientTls(msgspec.Struct, frozen=True, kw_only=True):
    """`auto`: each endpoint's own fact decides. `mutual`/`plain`: a DestinationRule decided for all. `outside`: with an
    operator's certificates, or none, to servers that are not the mesh's."""

    mode: ClientRule = "auto"
    outside: OriginatedTls | None = None


class ClusterIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`accounts` are SPIFFE ids, of the trust domain of a `partner` if there is one. `endpoints` are inline for DNS
    services only, and with them the `preference` of the clients it is for; others come by EDS, of `members` if that
    is another cluster than this one."""

    name: str
    protocol: Protocol
    resolution: Discovery
    mesh_sni: str
    accounts: tuple[str, ...]
    partner: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    preference: Preference | None = None
    balancing: Balancing = Balancing()
    connect_timeout_ms: int = 10_000
    resolving: Resolving = Resolving()
    pool: ConnectionPool = ConnectionPool()
    outlier: Outlier | None = None
    tls: ClientTls = ClientTls()
    members: str = ""
    proxy_protocol: Literal["", "V1", "V2"] = ""
    objects: tuple[ObjectRef, ...] = ()


def build_cluster(intent: ClusterIntent) -> Resource:
    cluster = Cluster(
        name=intent.name,
        connect_timeout=millis(intent.connect_timeout_ms),
        circuit_breakers=circuit_breakers(intent.pool),
        common_lb_config=Cluster.CommonLbConfig(healthy_panic_threshold=Percent(value=0)),
        metadata=provenance(intent.objects),
    )
    _discover(cluster, intent)
    keep_alive(cluster, intent.pool)
    if intent.outlier is not None:
        eject(cluster, intent.outlier)
    _choose_transport(cluster, intent)
    if intent.proxy_protocol:
        sockets = [each.transport_socket for each in cluster.transport_socket_matches]
        for socket in sockets or [cluster.transport_socket]:
            socket.CopyFrom(tls.announced(socket, intent.proxy_protocol))
    if intent.protocol not in ("TCP", "TLS"):
        options = http_options(intent.protocol, intent.pool, intent.outlier)
        _verify_what_is_asked(options, intent)
        cluster.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(pack(options))
    return build_resource(ResourceType.CLUSTER, intent.name, cluster, intent.objects)


def _discover(cluster: Cluster, intent: ClusterIntent) -> None:
    """Where its hosts come from, and how one of them is chosen."""
    match intent.resolution:
        case "EDS":
            cluster.type = Cluster.EDS
            cluster.eds_cluster_config.CopyFrom(
                Cluster.EdsClusterConfig(eds_config=ADS, service_name=intent.members or intent.name)
            )
        case "DYNAMIC_DNS":
            _look_up_on_request(cluster, intent.resolving)
            return
        case _:
            assignment = build_load_assignment(intent.name, intent.endpoints, intent.preference)
            # Envoy refuses one at a time of several names, as of a host of which several objects tell; and of none,
            # as where a rule sends everybody to other places.
            one = [len(each.lb_endpoints) for each in assignment.endpoints] == [1]
            one = one and intent.resolution == "DNS_ROUND_ROBIN"
            cluster.type = Cluster.LOGICAL_DNS if one else Cluster.STRICT_DNS
            cluster.dns_lookup_family = Cluster.V4_PREFERRED
            cluster.respect_dns_ttl = True
            _resolve(cluster, intent.resolving)
            cluster.load_assignment.CopyFrom(assignment)
    balance(cluster, intent.balancing)


def _look_up_on_request(cluster: Cluster, resolving: Resolving) -> None:
    cluster.lb_policy = Cluster.CLUSTER_PROVIDED
    cluster.cluster_type.CopyFrom(
        Cluster.CustomClusterType(
            # The forward proxy's HTTP filter works on clusters of exactly this type name.
            name="envoy.clusters.dynamic_forward_proxy",
            # "Insecure" would be TLS without a check of names. Where we begin TLS we ask for it ourselves.
            typed_config=pack(
                ClusterConfig(dns_cache_config=dns_cache(resolving), allow_insecure_cluster_options=True)
            ),
        )
    )


def _verify_what_is_asked(options: upstream_http.HttpProtocolOptions, intent: ClusterIntent) -> None:
    """Below a wildcard the name that a request asks for is what its server must have."""
    outside = intent.tls.outside
    if intent.resolution != "DYNAMIC_DNS" or outside is None:
        return
    options.upstream_http_protocol_options.auto_sni = not outside.sni
    options.upstream_http_protocol_options.auto_san_validation = not outside.names and not outside.is_lax


def _resolve(cluster: Cluster, resolving: Resolving) -> None:
    if resolving.refresh_ms != DNS_REFRESH_MS:
        cluster.dns_refresh_rate.CopyFrom(millis(resolving.refresh_ms))
    if resolving.servers:
        cluster.typed_dns_resolver_config.CopyFrom(resolver(resolving.servers))


def _alpn(intent: ClusterIntent) -> tuple[str, ...]:
    """To a port of undeclared protocol the route says per request what it carries (see routes/destination). What a
    proxy asks for itself comes by no route, and speaks HTTP/1.1."""
    if intent.protocol == "HTTP" and intent.pool.http == "h2":
        return tls.ALPN_HTTP2
    match intent.protocol:
        case "HTTP" | "AUTO":
            return tls.ALPN_HTTP1
        case "HTTP2" | "GRPC":
            return tls.ALPN_HTTP2
        case _:
            return tls.ALPN_TCP


def _choose_transport(cluster: Cluster, intent: ClusterIntent) -> None:
    mesh = tls.client_mtls(intent.mesh_sni, intent.accounts, _alpn(intent), partner=intent.partner)
    match intent.tls.mode:
        case "auto":
            cluster.transport_socket_matches.extend(
                [
                    Cluster.TransportSocketMatch(
                        name="tlsMode-istio", match=struct(tlsMode="istio"), transport_socket=mesh
                    ),
                    Cluster.TransportSocketMatch(
                        name="tlsMode-disabled", match=struct(), transport_socket=tls.plaintext()
                    ),
                ]
            )
        case "mutual":
            cluster.transport_socket.CopyFrom(mesh)
        case "outside":
            assert intent.tls.outside is not None
            cluster.transport_socket.CopyFrom(begin_tls(intent.tls.outside))
        case "plain":
            cluster.transport_socket.CopyFrom(tls.plaintext())


def connect_cluster_name(port: int) -> str:
    return f"connect_{port}"


class ConnectClusterIntent(msgspec.Struct, frozen=True, kw_only=True):
    """The way from a terminated CONNECT into the internal listener of `port`."""

    port: int
    listener: str


def build_connect_cluster(intent: ConnectClusterIntent) -> Resource:
    name = connect_cluster_name(intent.port)
    return build_resource(ResourceType.CLUSTER, name, internal_cluster(name, intent.listener))


def internal_cluster(name: str, listener: str) -> Cluster:
    """The way into an internal listener."""
    address = Address(envoy_internal_address=EnvoyInternalAddress(server_listener_name=listener))
    inner = InternalUpstreamTransport(transport_socket=tls.plaintext())
    return Cluster(
        name=name,
        type=Cluster.STATIC,
        load_assignment=ClusterLoadAssignment(
            cluster_name=name,
            endpoints=[
                LocalityLbEndpoints(lb_endpoints=[LbEndpoint(endpoint=EnvoyEndpoint(address=address))])
            ],
        ),
        circuit_breakers=circuit_breakers(ConnectionPool()),
        transport_socket=TransportSocket(
            name="envoy.transport_sockets.internal_upstream", typed_config=pack(inner)
        ),
    )


class InboundClusterIntent(msgspec.Struct, frozen=True, kw_only=True):
    """From the sidecar to its own app, most often on loopback."""

    service_port: int
    app: AppEndpoint
    protocol: Protocol
    pool: ConnectionPool = ConnectionPool()
    connect_timeout_ms: int = 10_000
    objects: tuple[ObjectRef, ...] = ()


def build_inbound_cluster(intent: InboundClusterIntent) -> Resource:
    name = f"inbound|{intent.service_port}||"
    cluster = Cluster(
        name=name,
        type=Cluster.STATIC,
        connect_timeout=millis(intent.connect_timeout_ms),
        load_assignment=ClusterLoadAssignment(
            cluster_name=name,
            endpoints=[
                LocalityLbEndpoints(
                    lb_endpoints=[LbEndpoint(endpoint=EnvoyEndpoint(address=_app_address(intent.app)))]
                )
            ],
        ),
        circuit_breakers=circuit_breakers(intent.pool),
    )
    if intent.objects:
        cluster.metadata.CopyFrom(provenance(intent.objects))
    keep_alive(cluster, intent.pool)
    if intent.protocol not in ("TCP", "TLS"):
        options = http_options(intent.protocol, intent.pool, None)
        cluster.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(pack(options))
    return build_resource(ResourceType.CLUSTER, name, cluster, intent.objects)


def _app_address(app: AppEndpoint) -> Address:
    if app.socket:
        return Address(pipe=Pipe(path=app.socket))
    return socket_address(app.address, app.port)


def build_black_hole() -> Resource:
    """A cluster without endpoints: what a rule names and nobody offers ends here, as 503 and not as a hang."""
    return build_nowhere(BLACK_HOLE)


def build_nowhere(name: str) -> Resource:
    """Stands for a service's cluster that is not there: for what a proxy accepts only if the cluster is."""
    return build_resource(ResourceType.CLUSTER, name, Cluster(name=name, type=Cluster.STATIC))


def build_passthrough(resolving: Resolving) -> Resource:
    """Hosts the mesh does not know, resolved when asked for. The egress guard stands in front of it."""
    cluster = Cluster(name=PASSTHROUGH, circuit_breakers=circuit_breakers(ConnectionPool()))
    _look_up_on_request(cluster, resolving)
    options = upstream_http.HttpProtocolOptions()
    options.use_downstream_protocol_config.http_protocol_options.CopyFrom(Http1ProtocolOptions())
    options.use_downstream_protocol_config.http2_protocol_options.CopyFrom(Http2ProtocolOptions())
    cluster.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(pack(options))
    return build_resource(ResourceType.CLUSTER, PASSTHROUGH, cluster)
