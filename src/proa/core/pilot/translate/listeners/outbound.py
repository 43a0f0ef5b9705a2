"""Listeners through which a workload calls: the explicit proxy, the internal listeners behind CONNECT, and local
TCP ports for named upstreams.

An internal listener has the chains a transparently captured port would have: TLS, HTTP and everything else told
apart on the first bytes; a client that waits for the server to speak first is taken as TCP after the inspectors'
timeout.
"""

from typing import Final

import msgspec
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import FilterChain, FilterChainMatch
from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.names import ObjectRef
from proa.core.model.settings import Handling
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.clusters import BLACK_HOLE
from proa.core.pilot.translate.encode import build_resource, millis, provenance, socket_address
from proa.core.pilot.translate.filters.chain import (
    Direction,
    http_chain,
    outbound_filters,
    stream_chain,
    tcp_chain,
)
from proa.core.pilot.translate.listeners.inbound import (
    PLAIN_HTTP,
    http_inspector,
    tls_inspector,
)
from proa.core.pilot.translate.routes.intents import Stream

EXPLICIT_ROUTES: Final = "http_proxy"
EXPLICIT_LISTENER: Final = "virtualOutbound"


class ExplicitListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What HTTP_PROXY points at: on loopback, for the workload's own app."""

    port: int
    handling: Handling


def build_explicit_listener(intent: ExplicitListenerIntent) -> Resource:
    listener = Listener(
        name=EXPLICIT_LISTENER,
        address=socket_address("127.0.0.1", intent.port),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[
            FilterChain(
                filters=[
                    http_chain(
                        Direction.OUTBOUND,
                        EXPLICIT_ROUTES,
                        outbound_filters(intent.handling),
                        handling=intent.handling,
                        connect=True,
                    )
                ]
            )
        ],
    )
    return build_resource(ResourceType.LISTENER, EXPLICIT_LISTENER, listener, intent.handling.observers)


class InternalListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    port: int
    handling: Handling


def internal_listener_name(port: int) -> str:
    return f"0.0.0.0_{port}"


def port_routes_name(port: int) -> str:
    """The route configuration of one service port, named as in Istio."""
    return str(port)


def build_internal_listener(intent: InternalListenerIntent) -> Resource:
    name = internal_listener_name(intent.port)
    http = http_chain(
        Direction.OUTBOUND,
        port_routes_name(intent.port),
        outbound_filters(intent.handling),
        handling=intent.handling,
    )
    listener = Listener(
        name=name,
        internal_listener=Listener.InternalListenerConfig(),
        traffic_direction=TrafficDirection.OUTBOUND,
        listener_filters=[tls_inspector(), http_inspector()],
        listener_filters_timeout=millis(intent.handling.detection_ms),
        continue_on_listener_filters_timeout=True,
        filter_chains=[
            FilterChain(
                name="http",
                # ALPN alone would also catch TLS clients that offer http/1.1.
                filter_chain_match=FilterChainMatch(
                    transport_protocol="raw_buffer", application_protocols=PLAIN_HTTP
                ),
                filters=[http],
            )
        ],
        default_filter_chain=FilterChain(
            name="stream", filters=tcp_chain(Direction.OUTBOUND, BLACK_HOLE, handling=intent.handling)
        ),
    )
    return build_resource(ResourceType.LISTENER, name, listener, intent.handling.observers)


class UpstreamListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A local TCP port that leads where `stream` says, because of `objects`."""

    local_port: int
    stream: Stream
    handling: Handling
    objects: tuple[ObjectRef, ...] = ()


def upstream_listener_name(local_port: int) -> str:
    return f"127.0.0.1_{local_port}"


def build_upstream_listener(intent: UpstreamListenerIntent) -> Resource:
    name = upstream_listener_name(intent.local_port)
    listener = Listener(
        name=name,
        address=socket_address("127.0.0.1", intent.local_port),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[
            FilterChain(filters=stream_chain(Direction.OUTBOUND, intent.stream, handling=intent.handling))
        ],
        metadata=provenance(intent.objects),
    )
    objects = tuple(dict.fromkeys((*intent.objects, *intent.handling.observers)))
    return build_resource(ResourceType.LISTENER, name, listener, objects)
