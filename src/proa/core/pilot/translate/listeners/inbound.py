"""Listeners through which a workload is called: one per service port, with a chain per kind of connection.

The first bytes decide: mesh TLS is known by its ALPN, so a permissive port takes it beside plaintext and beside
the application's own TLS.
"""

from typing import Final

import msgspec
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    ListenerFilter,
)
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.listener.http_inspector.v3.http_inspector_pb2 import HttpInspector
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector

from proa.core.auth.hop import takes
from proa.core.mixer.needs import Checked
from proa.core.model.names import ObjectRef
from proa.core.model.service import Protocol
from proa.core.model.settings import Handling
from proa.core.model.workload import TlsMode
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate import tls
from proa.core.pilot.translate.authorization.filters import AuthorizationIntent, seen_from
from proa.core.pilot.translate.authorization.filters import stream_filters as authorize_streams
from proa.core.pilot.translate.encode import (
    boolean,
    build_resource,
    millis,
    pack,
    provenance,
    socket_address,
)
from proa.core.pilot.translate.filters.chain import Direction, http_chain, inbound_filters, tcp_chain
from proa.core.pilot.translate.filters.metrics import Meter
from proa.core.pilot.translate.filters.mixer.checks import stream_check_filters
from proa.core.pilot.translate.filters.names import APP_REFUSED_HEADER
from proa.core.pilot.translate.filters.revocation import peer_serial, revoked_since, stream_filters
from proa.core.pilot.translate.operator_tls import ServedTls, end_tls

PLAIN_HTTP: Final = ("http/1.0", "http/1.1", "h2c")


class InboundListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`asked`: Mixer's checks of raw streams. `revoked_since` is the time of the newest revocation: with it the chains
    of mesh TLS are others. `knows_partners`: as of `tls.server_mtls`. With `tls`, because of `objects`, nothing else is
    taken, and `protocol` is of what comes in it."""

    bind: str
    sidecar_port: int
    service_port: int
    protocol: Protocol
    mode: TlsMode
    handling: Handling
    authorization: AuthorizationIntent
    asked: tuple[Checked, ...] = ()
    revoked_since: int = 0
    knows_partners: bool = False
    tls: ServedTls | None = None
    objects: tuple[ObjectRef, ...] = ()


def inbound_listener_name(service_port: int) -> str:
    return f"inbound_{service_port}"


def tls_inspector() -> ListenerFilter:
    return ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=pack(TlsInspector()))


def http_inspector() -> ListenerFilter:
    return ListenerFilter(name="envoy.filters.listener.http_inspector", typed_config=pack(HttpInspector()))


def build_inbound_listener(intent: InboundListenerIntent) -> Resource:
    name = inbound_listener_name(intent.service_port)
    plain = takes("plaintext", intent.mode)
    is_stream = intent.protocol in ("TCP", "TLS")
    # A port that takes streams only, from anybody, has nothing to tell apart.
    if intent.tls is not None:
        return _served_listener(intent, intent.tls)
    inspectors = [] if intent.mode == "DISABLE" and is_stream else [tls_inspector()]
    if plain and intent.protocol == "AUTO":
        inspectors.append(http_inspector())
    chains = [
        *(_mesh_chains(intent) if takes("mesh TLS", intent.mode) else ()),
        *(_plain_chains(intent) if plain else ()),
    ]
    listener = Listener(
        name=name,
        address=socket_address(intent.bind, intent.sidecar_port),
        traffic_direction=TrafficDirection.INBOUND,
        listener_filters=inspectors,
        filter_chains=chains,
    )
    if plain and inspectors and (is_stream or intent.protocol == "AUTO"):
        listener.listener_filters_timeout.CopyFrom(millis(intent.handling.detection_ms))
        listener.continue_on_listener_filters_timeout = True
    # Where streams are, their policies are in here, and a proxy that refuses them has to name them.
    streams = any(chain.name.endswith(("tcp", "tls")) for chain in chains)
    refs = _in_streams(intent) if streams else ()
    objects = dict.fromkeys((*refs, *intent.handling.observers))
    return build_resource(ResourceType.LISTENER, name, listener, objects)


def _in_streams(intent: InboundListenerIntent) -> tuple[ObjectRef, ...]:
    """The objects whose filters chains of raw streams have in them."""
    policies = (policy.ref for policy in intent.authorization.policies)
    return (*policies, *(rule for each in intent.asked for rule in each.rules))


def _served_listener(intent: InboundListenerIntent, served: ServedTls) -> Resource:
    """For callers outside the mesh, with an operator's certificate. Who does not begin TLS has no chain."""
    is_stream = intent.protocol in ("TCP", "TLS")
    chain = FilterChain(
        name="served-tls",
        filter_chain_match=FilterChainMatch(transport_protocol="tls"),
        transport_socket=end_tls(served, () if is_stream else tls.SERVER_HTTP),
        filters=_tcp(intent) if is_stream else _http(intent),
    )
    listener = Listener(
        name=inbound_listener_name(intent.service_port),
        address=socket_address(intent.bind, intent.sidecar_port),
        traffic_direction=TrafficDirection.INBOUND,
        listener_filters=[tls_inspector()],
        filter_chains=[chain],
        metadata=provenance(intent.objects),
    )
    refs = _in_streams(intent) if is_stream else ()
    objects = dict.fromkeys((*intent.objects, *refs, *intent.handling.observers))
    return build_resource(ResourceType.LISTENER, listener.name, listener, objects)


def _http(intent: InboundListenerIntent, *, is_mesh: bool = False) -> list[Filter]:
    host = VirtualHost(
        name=f"inbound|http|{intent.service_port}",
        domains=["*"],
        routes=[
            Route(
                name="default",
                match=RouteMatch(prefix="/"),
                route=RouteAction(cluster=f"inbound|{intent.service_port}||", timeout=millis(0)),
            )
        ],
    )
    routes = RouteConfiguration(
        name=f"inbound|{intent.service_port}||",
        virtual_hosts=[host],
        response_headers_to_remove=[APP_REFUSED_HEADER],
        validate_clusters=boolean(False),
    )
    policies = seen_from(intent.authorization, has_peer=is_mesh)
    filters = inbound_filters(intent.service_port, policies.name, is_mesh=is_mesh)
    meter = _meter(intent, is_mesh=is_mesh)
    manager = http_chain(Direction.INBOUND, routes, filters, handling=intent.handling, meter=meter)
    return [*([peer_serial()] if is_mesh else []), manager]


def _tcp(intent: InboundListenerIntent, *, is_mesh: bool = False) -> list[Filter]:
    authorized = authorize_streams(seen_from(intent.authorization, has_peer=is_mesh))
    checked = stream_check_filters(intent.asked, intent.service_port, has_peer=is_mesh)
    meter = _meter(intent, is_mesh=is_mesh)
    cluster = f"inbound|{intent.service_port}||"
    return [
        *authorized,
        *checked,
        *tcp_chain(Direction.INBOUND, cluster, handling=intent.handling, meter=meter),
    ]


def _meter(intent: InboundListenerIntent, *, is_mesh: bool) -> Meter:
    """Only the mesh's own TLS tells of a peer: another authority may sign what it likes."""
    return Meter(side="tls" if is_mesh else "plain", port=intent.service_port)


def _mesh_chains(intent: InboundListenerIntent) -> list[FilterChain]:
    def chain(
        name: str, offered: tuple[str, ...], answered: tuple[str, ...], filters: list[Filter]
    ) -> FilterChain:
        built = FilterChain(
            name=name,
            filter_chain_match=FilterChainMatch(transport_protocol="tls", application_protocols=offered),
            transport_socket=tls.server_mtls(answered, knows_partners=intent.knows_partners),
            filters=filters,
        )
        if intent.revoked_since:
            built.metadata.CopyFrom(revoked_since(intent.revoked_since))
        return built

    def streams(offered: tuple[str, ...]) -> FilterChain:
        filters = [peer_serial(), *stream_filters(), *_tcp(intent, is_mesh=True)]
        return chain("mesh-tcp", offered, tls.ALPN_TCP, filters)

    http = _http(intent, is_mesh=True)

    # gRPC's own client offers nothing but h2. So may an app's own TLS, which passes where plaintext may come; where it
    # may not, all TLS is the mesh's and must show a workload's certificate.
    from_grpc = takes("gRPC's mesh TLS", intent.mode)
    grpc = [chain("mesh-grpc", tls.ALPN_GRPC, tls.ALPN_GRPC, http)] if from_grpc else []
    match intent.protocol:
        case "HTTP":
            return [chain("mesh-http", (*tls.MESH_HTTP, "istio"), tls.SERVER_HTTP, http)]
        case "HTTP2" | "GRPC":
            return [chain("mesh-http", (*tls.MESH_HTTP, "istio"), tls.SERVER_HTTP, http), *grpc]
        case "AUTO":
            return [
                chain("mesh-http", tls.MESH_HTTP, tls.SERVER_HTTP, http),
                *grpc,
                streams(("istio",)),
            ]
        case _:
            return [streams((*tls.MESH_HTTP, "istio"))]


def _plain_chains(intent: InboundListenerIntent) -> list[FilterChain]:
    raw = FilterChainMatch(transport_protocol="raw_buffer")
    own_tls = FilterChain(
        name="app-tls", filter_chain_match=FilterChainMatch(transport_protocol="tls"), filters=_tcp(intent)
    )
    match intent.protocol:
        case "HTTP" | "HTTP2" | "GRPC":
            return [FilterChain(name="plain-http", filter_chain_match=raw, filters=_http(intent)), own_tls]
        case "AUTO":
            http = FilterChainMatch(transport_protocol="raw_buffer", application_protocols=PLAIN_HTTP)
            return [
                FilterChain(name="plain-http", filter_chain_match=http, filters=_http(intent)),
                FilterChain(name="plain-tcp", filter_chain_match=raw, filters=_tcp(intent)),
                own_tls,
            ]
        case _ if intent.mode == "DISABLE":
            return [FilterChain(name="plain-tcp", filters=_tcp(intent))]
        case _:
            return [FilterChain(name="plain-tcp", filter_chain_match=raw, filters=_tcp(intent)), own_tls]
