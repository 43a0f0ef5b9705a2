"""Listeners of a sidecar's own that its program dials: at an address and a port that a Sidecar's egress names."""

import msgspec
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import FilterChain, FilterChainMatch
from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.names import ObjectRef
from proa.core.model.settings import Handling
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.clusters import BLACK_HOLE
from proa.core.pilot.translate.encode import build_resource, provenance, socket_address
from proa.core.pilot.translate.filters.chain import (
    Direction,
    http_chain,
    outbound_filters,
    stream_chain,
    tcp_chain,
)
from proa.core.pilot.translate.listeners.inbound import tls_inspector
from proa.core.pilot.translate.routes.intents import ConnectStream


class OwnListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`routes`: the name to ask RDS for, empty for streams. `streams` have names in SNI, or there is one without; where
    there is none, connections end at once."""

    name: str
    bind: str
    port: int
    handling: Handling
    routes: str = ""
    streams: tuple[ConnectStream, ...] = ()
    objects: tuple[ObjectRef, ...] = ()


def build_own_listener(intent: OwnListenerIntent) -> Resource:
    listener = Listener(
        name=intent.name,
        address=socket_address(intent.bind, intent.port),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=_chains(intent),
        metadata=provenance(intent.objects),
    )
    if any(each.names for each in intent.streams):
        listener.listener_filters.append(tls_inspector())
    served = (ref for each in intent.streams for ref in each.objects)
    objects = (*intent.objects, *served, *intent.handling.observers)
    return build_resource(ResourceType.LISTENER, intent.name, listener, tuple(dict.fromkeys(objects)))


def _chains(intent: OwnListenerIntent) -> list[FilterChain]:
    handling = intent.handling
    if intent.routes:
        manager = http_chain(Direction.OUTBOUND, intent.routes, outbound_filters(handling), handling=handling)
        return [FilterChain(name="http", filters=[manager])]
    if not intent.streams:
        return [
            FilterChain(name="nowhere", filters=tcp_chain(Direction.OUTBOUND, BLACK_HOLE, handling=handling))
        ]
    return [
        FilterChain(
            name=each.names[0] if each.names else "stream",
            filter_chain_match=FilterChainMatch(
                server_names=each.names, transport_protocol="tls" if each.names else ""
            ),
            filters=stream_chain(Direction.OUTBOUND, each.stream, handling=handling),
            metadata=provenance(each.objects),
        )
        for each in intent.streams
    ]
