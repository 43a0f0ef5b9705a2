"""A gateway's listener is where the agent could bind it, under the name of the port asked for."""

from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.names import ObjectRef
from proa.core.model.settings import Handling
from proa.core.pilot.simulate.resources import decode, objects_of
from proa.core.pilot.translate.authorization.filters import AuthorizationIntent
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.listeners.gateway import (
    GatewayChain,
    GatewayListenerIntent,
    build_gateway_listener,
)
from proa.core.pilot.translate.operator_tls import ServedTls
from proa.core.pilot.translate.routes.intents import Stream, Target

EDGE = ObjectRef("Gateway", "default", "edge")
RULE = ObjectRef("VirtualService", "default", "edge")

NOBODY = AuthorizationIntent(name="proa.authz.80", place=Place(ports=(80,), trust_domain="cluster.local"))


def built(*chains: GatewayChain) -> Listener:
    intent = GatewayListenerIntent(
        name="0.0.0.0_80",
        bind="0.0.0.0",
        bound_port=31080,
        handling=Handling(),
        authorization=NOBODY,
        chains=chains,
        objects=(EDGE,),
    )
    return decode(build_gateway_listener(intent), Listener)


def test_a_port_that_is_bound_elsewhere() -> None:
    listener = built(GatewayChain(name="", routes="http.80"))
    assert (listener.name, listener.address.socket_address.port_value) == ("0.0.0.0_80", 31080)
    assert objects_of(listener.metadata) == ("Gateway/default/edge",)
    assert not listener.listener_filters, "plain HTTP has nothing to be told apart by"


def test_a_refusal_names_rules_and_gateways() -> None:
    chain = GatewayChain(
        name="a", sni=("a.example",), stream=Stream(targets=(Target(cluster="c"),)), objects=(EDGE, RULE)
    )
    intent = GatewayListenerIntent(
        name="l",
        bind="0.0.0.0",
        bound_port=1,
        handling=Handling(),
        authorization=NOBODY,
        chains=(chain,),
        objects=(EDGE,),
    )
    assert build_gateway_listener(intent).objects == (EDGE, RULE)


def test_all_names_beside_some_are_a_chain_of_their_own() -> None:
    listener = built(GatewayChain(name="a", sni=("a.example", "*"), routes="r", tls=ServedTls()))
    assert [(each.name, list(each.filter_chain_match.server_names)) for each in listener.filter_chains] == [
        ("a", ["a.example"]),
        ("a *", []),
    ]
    assert {each.filter_chain_match.transport_protocol for each in listener.filter_chains} == {"tls"}
    assert [each.name for each in listener.listener_filters] == ["envoy.filters.listener.tls_inspector"]
