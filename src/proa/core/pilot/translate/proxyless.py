"""What gRPC's own xDS client is served: a program that is its own sidecar for the calls it makes.

From a HostView, as in `outbound`, but in that client's dialect: it asks for the listener named like its target
(`xds:///greeter:50051`), goes on to routes, clusters and endpoints by name, refuses balancers and per-route filters
that it does not know (`grpc_dialect` says which are left), and takes keys and roots from files by the name of a
certificate provider in its bootstrap.
Whether a hop is mutual TLS cannot depend on the endpoint there: a cluster holds those that take it, if any does.
Called by the control plane's bundles. Hosts that need DNS, TLS to the outside or a wildcard are left out: to the client
they do not exist.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

import msgspec
from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.config.listener.v3.api_listener_pb2 import ApiListener
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import StatefulSession
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateProviderPluginInstance,
    CertificateValidationContext,
)
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import CommonTlsContext, UpstreamTlsContext
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, parse_cluster_name, virtual_host_name
from proa.core.model.notes import Note
from proa.core.model.settings import MeshSettings
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.views import HostView
from proa.core.pilot.translate.cluster_policy import UNLIMITED, Balancing, balance
from proa.core.pilot.translate.clusters import ClusterIntent
from proa.core.pilot.translate.encode import ADS, build_resource, millis, pack, provenance, uint32
from proa.core.pilot.translate.endpoints import EndpointsIntent
from proa.core.pilot.translate.filters.names import FAULT, ROUTER, SESSION
from proa.core.pilot.translate.grpc_dialect import (
    GrpcOutlier,
    spoken_balancing,
    spoken_outlier,
    spoken_rule,
    unspoken_policy,
    unspoken_rule,
)
from proa.core.pilot.translate.outbound import cluster_intents, endpoint_intents, host_routes
from proa.core.pilot.translate.routes.intents import VirtualHostIntent
from proa.core.pilot.translate.tls import NO_ACCOUNT
from proa.core.pilot.translate.traffic_policy import policy_for

CERTIFICATE_PROVIDER: Final = "proa"
"""Names the files of key, chain and roots in the client's bootstrap (`core.sidecar.grpc_bootstrap`)."""

_CARRIERS: Final = ("HTTP2", "GRPC", "AUTO")


class GrpcListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is a target as programs write it, `routes` the configuration it goes by."""

    name: str
    routes: str


class GrpcClusterIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`accounts` are the SPIFFE ids a server may show; None: plaintext."""

    name: str
    accounts: tuple[str, ...] | None
    max_requests: int = 0
    connect_timeout_ms: int = 10_000
    balancing: Balancing = Balancing(algorithm="ROUND_ROBIN")
    outlier: GrpcOutlier | None = None
    objects: tuple[ObjectRef, ...] = ()


class GrpcHost(msgspec.Struct, frozen=True, kw_only=True):
    """All that one host comes to. `routes`: name of a route configuration -> its only virtual host. `notes`: what
    such a client cannot do of what is asked."""

    listeners: tuple[GrpcListenerIntent, ...] = ()
    routes: tuple[tuple[str, VirtualHostIntent], ...] = ()
    clusters: tuple[GrpcClusterIntent, ...] = ()
    endpoints: tuple[EndpointsIntent, ...] = ()
    notes: tuple[Note, ...] = ()


def grpc_host(view: HostView, endpoints: tuple[Endpoint, ...], settings: MeshSettings) -> GrpcHost:
    service = view.service
    if service is None or service.resolution != "STATIC" or view.host.startswith("*"):
        return GrpcHost()
    carried = {port.number for port in service.ports if port.protocol in _CARRIERS}
    rules = {port: rule for port, rule in host_routes(view).by_port.items() if port in carried}
    members = {intent.cluster: intent for intent in endpoint_intents(view, endpoints)}
    clusters = [
        intent
        for intent in cluster_intents(view, endpoints, settings)
        if intent.protocol in _CARRIERS and intent.tls.mode != "outside"
    ]
    return GrpcHost(
        listeners=tuple(
            GrpcListenerIntent(name=f"{name}:{port}", routes=virtual_host_name(view.host, port))
            for port in rules
            for name in view.names
        ),
        routes=tuple((virtual_host_name(view.host, port), _understood(rule)) for port, rule in rules.items()),
        clusters=tuple(_cluster(view, each, members[each.name].endpoints) for each in clusters),
        endpoints=tuple(_endpoints(each, members[each.name].endpoints) for each in clusters),
        notes=tuple(dict.fromkeys((*_rule_notes(view, rules.values()), *_policy_notes(view, clusters)))),
    )


def _rule_notes(view: HostView, hosts: Iterable[VirtualHostIntent]) -> Iterator[Note]:
    for host in hosts:
        for rule in host.routes:
            missed = ", ".join(unspoken_rule(rule))
            if missed and rule.objects:
                yield _note(rule.objects[0], view.host, f"{rule.rule}: {missed}")


def _policy_notes(view: HostView, clusters: Iterable[ClusterIntent]) -> Iterator[Note]:
    if view.policy is None:
        return
    for each in clusters:
        _, port, subset, _ = parse_cluster_name(each.name)
        for missed in unspoken_policy(policy_for(view.policy, subset, port)):
            yield _note(view.policy.refs[0], view.host, missed)


def _note(about: ObjectRef, host: str, what: str) -> Note:
    message = f"proxyless clients of {host} go without, which gRPC cannot do: {what}"
    return Note(code="proxyless-cannot", about=about, message=message)


def _understood(intent: VirtualHostIntent) -> VirtualHostIntent:
    """One host per configuration, so that whatever authority a program sets is the host. Without filters that only an
    Envoy has; what would leave the mesh is no rule here."""
    routes = tuple(spoken_rule(rule) for rule in intent.routes if not rule.guarded)
    return msgspec.structs.replace(intent, domains=("*",), routes=routes, connect=None)


def _is_mutual(intent: ClusterIntent, endpoints: tuple[Endpoint, ...]) -> bool:
    if intent.tls.mode == "auto":
        return any(endpoint.tls == "mutual" for endpoint in endpoints)
    return intent.tls.mode == "mutual"


def _cluster(view: HostView, intent: ClusterIntent, endpoints: tuple[Endpoint, ...]) -> GrpcClusterIntent:
    _, port, subset, _ = parse_cluster_name(intent.name)
    traffic = policy_for(view.policy, subset, port)
    return GrpcClusterIntent(
        name=intent.name,
        accounts=intent.accounts if _is_mutual(intent, endpoints) else None,
        max_requests=intent.pool.max_requests,
        connect_timeout_ms=intent.connect_timeout_ms,
        balancing=spoken_balancing(traffic),
        outlier=spoken_outlier(traffic),
        objects=intent.objects,
    )


def _endpoints(intent: ClusterIntent, endpoints: tuple[Endpoint, ...]) -> EndpointsIntent:
    """Addresses only: the client would refuse the whole set for a socket or a name."""
    only_mutual = intent.tls.mode == "auto" and _is_mutual(intent, endpoints)
    chosen = tuple(
        endpoint
        for endpoint in endpoints
        if _is_address(endpoint.address) and (endpoint.tls == "mutual" or not only_mutual)
    )
    return EndpointsIntent(cluster=intent.name, endpoints=chosen)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def build_grpc_listener(intent: GrpcListenerIntent) -> Resource:
    """No socket: an API listener is how the client reads its own connection manager."""
    manager = HttpConnectionManager(
        rds=Rds(route_config_name=intent.routes, config_source=ADS),
        http_filters=[
            HttpFilter(name=FAULT, typed_config=pack(HTTPFault())),
            # A client too old to know it goes on without.
            HttpFilter(name=SESSION, typed_config=pack(StatefulSession()), is_optional=True),
            HttpFilter(name=ROUTER, typed_config=pack(Router())),
        ],
    )
    listener = Listener(name=intent.name, api_listener=ApiListener(api_listener=pack(manager)))
    return build_resource(ResourceType.LISTENER, intent.name, listener)


def build_grpc_cluster(intent: GrpcClusterIntent) -> Resource:
    requests = uint32(intent.max_requests or UNLIMITED)
    cluster = Cluster(
        name=intent.name,
        type=Cluster.EDS,
        eds_cluster_config=Cluster.EdsClusterConfig(eds_config=ADS, service_name=intent.name),
        connect_timeout=millis(intent.connect_timeout_ms),
        circuit_breakers=CircuitBreakers(thresholds=[CircuitBreakers.Thresholds(max_requests=requests)]),
        metadata=provenance(intent.objects),
    )
    balance(cluster, intent.balancing)
    if intent.outlier is not None:
        cluster.outlier_detection.CopyFrom(_ejection(intent.outlier))
    if intent.accounts is not None:
        cluster.transport_socket.CopyFrom(_client_mtls(intent.accounts))
    return build_resource(ResourceType.CLUSTER, intent.name, cluster, intent.objects)


def _ejection(outlier: GrpcOutlier) -> OutlierDetection:
    """By the share of calls that fail: more than 99 percent of them are all."""
    return OutlierDetection(
        interval=millis(outlier.interval_ms),
        base_ejection_time=millis(outlier.base_ejection_ms),
        max_ejection_percent=uint32(outlier.max_ejection_percent),
        enforcing_success_rate=uint32(0),
        enforcing_failure_percentage=uint32(100),
        failure_percentage_threshold=uint32(99),
        failure_percentage_minimum_hosts=uint32(1),
        failure_percentage_request_volume=uint32(outlier.calls),
    )


def _client_mtls(accounts: tuple[str, ...]) -> TransportSocket:
    """The client refuses TLS parameters, and reads names in the older of Envoy's two fields."""
    validation = CertificateValidationContext(
        ca_certificate_provider_instance=CertificateProviderPluginInstance(
            instance_name=CERTIFICATE_PROVIDER
        ),
        match_subject_alt_names=[StringMatcher(exact=account) for account in accounts or (NO_ACCOUNT,)],
    )
    common = CommonTlsContext(
        tls_certificate_provider_instance=CertificateProviderPluginInstance(
            instance_name=CERTIFICATE_PROVIDER
        ),
        validation_context=validation,
    )
    return TransportSocket(
        name="envoy.transport_sockets.tls", typed_config=pack(UpstreamTlsContext(common_tls_context=common))
    )
