"""A gateway's listeners: one per port its Gateways ask for, bound where the node agent could bind it."""

import msgspec
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.names import ObjectRef
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import build_resource, provenance, socket_address
from proa.core.pilot.translate.filters.chain import Direction, http_chain, outbound_filters


class GatewayListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    bind: str
    port: int
    bound_port: int
    access_log: bool
    objects: tuple[ObjectRef, ...]


def gateway_routes_name(port: int) -> str:
    return f"http.{port}"


def build_gateway_listener(intent: GatewayListenerIntent) -> Resource:
    name = f"0.0.0.0_{intent.port}"
    chain = http_chain(
        Direction.GATEWAY, gateway_routes_name(intent.port), outbound_filters(), access_log=intent.access_log
    )
    listener = Listener(
        name=name,
        address=socket_address(intent.bind, intent.bound_port),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[FilterChain(filters=[chain])],
        metadata=provenance(intent.objects),
    )
    return build_resource(ResourceType.LISTENER, name, listener, intent.objects)
