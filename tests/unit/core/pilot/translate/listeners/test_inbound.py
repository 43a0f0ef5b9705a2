"""What a served port takes: every mode, protocol and kind of connection."""

import pytest

from proa.core.auth.peer_policy import PortTls, settled
from proa.core.model.workload import TlsMode
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate import (
    HTTP1,
    HTTP2,
    MESH_HTTP1,
    MESH_HTTP2,
    MESH_TCP,
    OWN_TLS,
    RAW,
    Connection,
    Inbound,
    Request,
    simulate,
)
from proa.core.pilot.translate.listeners.inbound import InboundListenerIntent, build_inbound_listener
from proa.testing.builders import Mesh, simple

NO_ALPN = Connection(transport="tls")
TAKEN = {
    ("HTTP", "STRICT"): {MESH_HTTP1: "mesh-http", MESH_HTTP2: "mesh-http"},
    ("TCP", "STRICT"): {MESH_TCP: "mesh-tcp"},
    ("AUTO", "STRICT"): {MESH_HTTP1: "mesh-http", MESH_HTTP2: "mesh-http", MESH_TCP: "mesh-tcp"},
    ("HTTP", "DISABLE"): {HTTP1: "plain-http", HTTP2: "plain-http", OWN_TLS: "app-tls", NO_ALPN: "app-tls"},
    ("TCP", "DISABLE"): {RAW: "plain-tcp", HTTP1: "plain-tcp"},
    ("AUTO", "DISABLE"): {HTTP1: "plain-http", HTTP2: "plain-http", RAW: "plain-tcp", OWN_TLS: "app-tls"},
}
REFUSED = (HTTP1, HTTP2, RAW, OWN_TLS, NO_ALPN)


def chain(protocol: str, mode: TlsMode, connection: Connection) -> str:
    mesh = Mesh()
    mesh.place(simple("a", protocol=protocol), port_tls={9080: settled(mode)})
    via = Inbound(port=9080, carries=connection)
    outcome = simulate(mesh.source("a-v1").lookup, Request(authority="a:9080"), via)
    return outcome.filter_chain


@pytest.mark.parametrize(("protocol", "mode"), TAKEN)
def test_a_mode_takes_its_own(protocol: str, mode: TlsMode) -> None:
    for connection, name in TAKEN[protocol, mode].items():
        assert chain(protocol, mode, connection) == name


@pytest.mark.parametrize("protocol", ["HTTP", "AUTO", "TCP", "TLS"])
@pytest.mark.parametrize("mode", ["DISABLE", "PERMISSIVE"])
def test_an_apps_own_tls_passes_where_plaintext_does(protocol: str, mode: TlsMode) -> None:
    assert chain(protocol, mode, OWN_TLS) in ("app-tls", "plain-tcp")


@pytest.mark.parametrize("protocol", ["HTTP", "HTTP2", "GRPC", "AUTO", "TCP", "TLS"])
@pytest.mark.parametrize("connection", REFUSED)
def test_strict_refuses_all_that_is_not_the_mesh(protocol: str, connection: Connection) -> None:
    assert chain(protocol, "STRICT", connection) == ""


@pytest.mark.parametrize("protocol", ["HTTP", "AUTO", "TCP"])
def test_permissive_takes_what_strict_and_disable_take(protocol: str) -> None:
    for mode in ("STRICT", "DISABLE"):
        for connection, name in TAKEN[protocol, mode].items():
            assert chain(protocol, "PERMISSIVE", connection) == name


def test_a_mode_in_transition_serves_what_it_serves_now() -> None:
    mesh = Mesh()
    mesh.place(
        simple("a"), port_tls={9080: PortTls(serving="PERMISSIVE", advertised="mutual", target="DISABLE")}
    )
    for connection in (HTTP1, MESH_HTTP1):
        outcome = mesh.get("a-v1", "http://a:9080/", via=Inbound(port=9080, carries=connection))
        assert outcome.filter_chain


def test_the_listener_stands_where_the_agent_said() -> None:
    intent = InboundListenerIntent(
        bind="10.0.0.1", sidecar_port=20000, service_port=80, protocol="HTTP", mode="STRICT", access_log=False
    )
    resource = build_inbound_listener(intent)
    assert (resource.type, resource.name) == (ResourceType.LISTENER, "inbound_80")
    assert b"10.0.0.1" in resource.body
