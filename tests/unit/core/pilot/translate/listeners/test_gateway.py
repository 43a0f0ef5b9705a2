"""A gateway's listener is where the agent could bind it, under the name of the port asked for."""

from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.names import ObjectRef
from proa.core.pilot.simulate.resources import decode, objects_of
from proa.core.pilot.translate.listeners.gateway import GatewayListenerIntent, build_gateway_listener

EDGE = ObjectRef("Gateway", "default", "edge")


def test_a_port_that_is_bound_elsewhere() -> None:
    intent = GatewayListenerIntent(
        bind="0.0.0.0", port=80, bound_port=31080, access_log=True, objects=(EDGE,)
    )
    resource = build_gateway_listener(intent)
    listener = decode(resource, Listener)
    assert (resource.name, listener.address.socket_address.port_value) == ("0.0.0.0_80", 31080)
    assert resource.objects == (EDGE,)
    assert objects_of(listener.metadata) == ("Gateway/default/edge",)
