"""The peer of B8: the same configuration as protobuf objects, built from scratch for each proxy and serialised once.

Written by hand and on purpose without anything clever: no bytes kept, nothing shared between two proxies. What it
makes has the names and, within a few percent, the size of what we make, or the run says that it is flawed.
"""

from collections.abc import Iterable

from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.core.v3.base_pb2 import Locality, Metadata, TransportSocket
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.config.core.v3.health_check_pb2 import HealthStatus
from envoy.config.core.v3.protocol_pb2 import Http1ProtocolOptions
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as SetFilterState
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.transport_sockets.raw_buffer.v3.raw_buffer_pb2 import RawBuffer
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    SubjectAltNameMatcher,
    TlsParameters,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import CommonTlsContext, UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, Resource
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.percent_pb2 import Percent
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.wrappers_pb2 import UInt32Value

from benchmarks.generation.facts import ADDRESS, PORT, SIDECAR_PORT, ServiceFacts
from proa.core.pilot.resource import ResourceType

_UNLIMITED = 2**32 - 1


def generate(services: Iterable[ServiceFacts]) -> tuple[set[str], int]:
    """All one proxy is sent; the names in it and its size in bytes. Listeners are a constant few on either side and
    left out here."""
    services = tuple(services)
    responses = (
        _response(ResourceType.CLUSTER, {each.cluster: _cluster(each) for each in services}),
        _response(ResourceType.ENDPOINT, {each.cluster: _endpoints(each) for each in services}),
        _response(
            ResourceType.ROUTE,
            {
                "http_proxy": RouteConfiguration(
                    name="http_proxy", virtual_hosts=[host for each in services for host in _explicit(each)]
                ),
                str(PORT): RouteConfiguration(
                    name=str(PORT), virtual_hosts=[_by_port(each) for each in services]
                ),
            },
        ),
    )
    names = {resource.name for response in responses for resource in response.resources}
    return names, sum(len(response.SerializeToString()) for response in responses)


def _response(kind: ResourceType, messages: dict[str, Message]) -> DeltaDiscoveryResponse:
    response = DeltaDiscoveryResponse(type_url=kind.url, nonce="1")
    for name, message in messages.items():
        response.resources.append(Resource(name=name, version="1", resource=_any(message)))
    return response


def _any(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _ads() -> ConfigSource:
    return ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


def _number(value: int) -> UInt32Value:
    return UInt32Value(value=value)


def _cluster(service: ServiceFacts) -> Cluster:
    thresholds = CircuitBreakers.Thresholds(
        max_connections=_number(_UNLIMITED),
        max_pending_requests=_number(_UNLIMITED),
        max_requests=_number(_UNLIMITED),
        max_retries=_number(_UNLIMITED),
    )
    options = HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptions.ExplicitHttpConfig(
            http_protocol_options=Http1ProtocolOptions()
        )
    )
    plain = TransportSocket(name="envoy.transport_sockets.raw_buffer", typed_config=_any(RawBuffer()))
    cluster = Cluster(
        name=service.cluster,
        type=Cluster.EDS,
        eds_cluster_config=Cluster.EdsClusterConfig(eds_config=_ads(), service_name=service.cluster),
        connect_timeout=Duration(seconds=10),
        lb_policy=Cluster.LEAST_REQUEST,
        circuit_breakers=CircuitBreakers(thresholds=[thresholds]),
        metadata=Metadata(),
        common_lb_config=Cluster.CommonLbConfig(healthy_panic_threshold=Percent(value=0)),
        transport_socket_matches=[
            Cluster.TransportSocketMatch(
                name="tlsMode-istio",
                match=Struct(fields={"tlsMode": Value(string_value="istio")}),
                transport_socket=_mesh_tls(service),
            ),
            Cluster.TransportSocketMatch(name="tlsMode-disabled", match=Struct(), transport_socket=plain),
        ],
    )
    key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    cluster.typed_extension_protocol_options[key].CopyFrom(_any(options))
    return cluster


def _mesh_tls(service: ServiceFacts) -> TransportSocket:
    matcher = SubjectAltNameMatcher(
        san_type=SubjectAltNameMatcher.URI,
        matcher=StringMatcher(exact=f"spiffe://cluster.local/ns/default/sa/{service.account}"),
    )
    context = UpstreamTlsContext(
        sni=f"outbound_.{PORT}_._.{service.host}",
        common_tls_context=CommonTlsContext(
            alpn_protocols=["istio-http/1.1", "istio", "http/1.1"],
            tls_params=TlsParameters(
                tls_minimum_protocol_version=TlsParameters.TLSv1_3,
                tls_maximum_protocol_version=TlsParameters.TLSv1_3,
            ),
            tls_certificate_sds_secret_configs=[SdsSecretConfig(name="default", sds_config=_ads())],
            combined_validation_context=CommonTlsContext.CombinedCertificateValidationContext(
                default_validation_context=CertificateValidationContext(
                    match_typed_subject_alt_names=[matcher]
                ),
                validation_context_sds_secret_config=SdsSecretConfig(name="ROOTCA", sds_config=_ads()),
            ),
        ),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=_any(context))


def _endpoints(service: ServiceFacts) -> ClusterLoadAssignment:
    name = service.host.partition(".")[0]
    endpoint = LbEndpoint(
        endpoint=Endpoint(
            address=Address(socket_address=SocketAddress(address=ADDRESS, port_value=SIDECAR_PORT)),
            hostname="istio",
        ),
        health_status=HealthStatus.HEALTHY,
        load_balancing_weight=_number(1),
        metadata=Metadata(
            filter_metadata={
                "envoy.transport_socket_match": Struct(fields={"tlsMode": Value(string_value="istio")}),
                "proa": Struct(fields={"workload": Value(string_value=f"default/{name}-0")}),
            }
        ),
    )
    group = LocalityLbEndpoints(
        locality=Locality(), lb_endpoints=[endpoint], load_balancing_weight=_number(1)
    )
    return ClusterLoadAssignment(cluster_name=service.cluster, endpoints=[group])


def _names(service: ServiceFacts) -> list[str]:
    parts = service.host.split(".")
    return [service.host, parts[0], ".".join(parts[:2]), ".".join(parts[:3])]


def _by_port(service: ServiceFacts) -> VirtualHost:
    names = _names(service)
    return VirtualHost(
        name=f"{service.host}:{PORT}",
        domains=[*names, *(f"{name}:{PORT}" for name in names)],
        routes=_routes(service),
        metadata=_origin(service),
    )


def _explicit(service: ServiceFacts) -> list[VirtualHost]:
    names = _names(service)
    served = VirtualHost(
        name=f"{service.host}:{PORT}",
        domains=[f"{name}:{PORT}" for name in names],
        routes=[_connect(service), *_routes(service)],
        metadata=_origin(service),
    )
    refused = VirtualHost(
        name=f"{service.host}:*",
        domains=[*names, *(f"{name}:*" for name in names)],
        routes=[
            Route(
                name="connect",
                match=RouteMatch(connect_matcher=RouteMatch.ConnectMatcher()),
                metadata=Metadata(),
                direct_response=DirectResponseAction(status=502),
            ),
            _refusal(service),
        ],
        metadata=Metadata(),
    )
    return [served, refused]


def _refusal(service: ServiceFacts) -> Route:
    answer = DirectResponseAction(status=502)
    answer.body.inline_string = f"service {service.host} serves port {PORT}, not this one\n"
    return Route(
        name="unserved_port", match=RouteMatch(prefix="/"), metadata=Metadata(), direct_response=answer
    )


def _connect(service: ServiceFacts) -> Route:
    tunnel = RouteAction(
        cluster=f"connect_{PORT}",
        timeout=Duration(),
        upgrade_configs=[
            RouteAction.UpgradeConfig(
                upgrade_type="CONNECT", connect_config=RouteAction.UpgradeConfig.ConnectConfig()
            )
        ],
    )
    route = Route(
        name="connect",
        match=RouteMatch(connect_matcher=RouteMatch.ConnectMatcher()),
        route=tunnel,
        metadata=_origin(service),
    )
    value = FilterStateValue(object_key="envoy.tcp_proxy.cluster", read_only=True)
    value.format_string.text_format_source.inline_string = service.cluster
    state = SetFilterState(on_request_headers=[value])
    route.typed_per_filter_config["envoy.filters.http.set_filter_state"].CopyFrom(_any(state))
    return route


def _routes(service: ServiceFacts) -> list[Route]:
    if not service.routes:
        return [_route(service, "/", "default", Metadata())]
    return [
        _route(service, prefix, "", _origin(service, f"http[{number}]"))
        for number, prefix in enumerate(service.routes)
    ]


def _route(service: ServiceFacts, prefix: str, name: str, metadata: Metadata) -> Route:
    retry = RetryPolicy(
        retry_on="connect-failure,refused-stream,unavailable,cancelled,retriable-headers",
        num_retries=_number(2),
        retriable_headers=[HeaderMatcher(name="x-proa-app-refused", present_match=True)],
        host_selection_retry_max_attempts=5,
        retry_host_predicate=[
            RetryPolicy.RetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts", typed_config=_any(PreviousHostsPredicate())
            )
        ],
    )
    action = RouteAction(cluster=service.cluster, timeout=Duration(), retry_policy=retry)
    return Route(name=name, match=RouteMatch(prefix=prefix), route=action, metadata=metadata)


def _origin(service: ServiceFacts, rule: str = "") -> Metadata:
    if not service.routes:
        return Metadata()
    source = f"VirtualService/default/{service.host.partition('.')[0]}"
    fields = {"objects": Value(list_value=ListValue(values=[Value(string_value=source)]))}
    if rule:
        fields["rule"] = Value(string_value=rule)
    return Metadata(filter_metadata={"proa": Struct(fields=fields)})
