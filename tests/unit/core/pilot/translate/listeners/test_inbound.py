"""What a served port takes: every mode, protocol and kind of connection."""

import pytest
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.auth.peer_policy import PortTls, settled
from proa.core.mixer.needs import Checked
from proa.core.model.names import ObjectRef
from proa.core.model.service import Protocol
from proa.core.model.settings import Handling
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
from proa.core.pilot.translate.authorization.filters import AuthorizationIntent
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.listeners.inbound import InboundListenerIntent, build_inbound_listener
from proa.core.pilot.translate.tls import ANY_WORKLOAD
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
    """An app's own TLS over h2 looks like gRPC's client at first, and is then asked for a workload's certificate."""
    may_be_grpc = protocol in ("HTTP2", "GRPC", "AUTO") and connection is OWN_TLS
    assert chain(protocol, "STRICT", connection) == ("mesh-grpc" if may_be_grpc else "")


@pytest.mark.parametrize("protocol", ["HTTP2", "GRPC", "AUTO"])
def test_grpcs_own_client_comes_in_where_nothing_but_the_mesh_does(protocol: str) -> None:
    grpc = Connection(transport="tls", protocols=("h2",))
    assert chain(protocol, "STRICT", grpc) == "mesh-grpc"
    assert chain(protocol, "PERMISSIVE", grpc) == "app-tls"


def test_every_chain_of_a_strict_port_demands_a_workloads_certificate() -> None:
    mesh = Mesh()
    mesh.place(simple("a", protocol="AUTO"), port_tls={9080: settled("STRICT")})
    resource = mesh.source("a-v1").lookup(ResourceType.LISTENER, "inbound_9080")
    assert resource is not None
    listener = Listener.FromString(AnyMessage.FromString(resource.body).value)
    assert [each.name for each in listener.filter_chains] == ["mesh-http", "mesh-grpc", "mesh-tcp"]
    for each in listener.filter_chains:
        context = DownstreamTlsContext.FromString(each.transport_socket.typed_config.value)
        assert context.require_client_certificate.value
        validation = context.common_tls_context.combined_validation_context.default_validation_context
        assert validation.match_typed_subject_alt_names[0].matcher.safe_regex.regex == ANY_WORKLOAD


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
        bind="10.0.0.1",
        sidecar_port=20000,
        service_port=80,
        protocol="HTTP",
        mode="STRICT",
        handling=Handling(),
        authorization=AuthorizationIntent(
            name="proa.authz.80", place=Place(ports=(80,), trust_domain="cluster.local")
        ),
    )
    resource = build_inbound_listener(intent)
    assert (resource.type, resource.name) == (ResourceType.LISTENER, "inbound_80")
    assert b"10.0.0.1" in resource.body


@pytest.mark.parametrize("protocol", ["TCP", "AUTO", "HTTP"])
def test_streams_are_checked_in_front_of_their_proxy_and_requests_in_a_place_of_their_own(
    protocol: Protocol,
) -> None:
    rule = ObjectRef("rule", "default", "deny")
    checked = Checked(policy="closed", rules=(rule,), deadline_ms=500, digest="d")
    resource = build_inbound_listener(
        InboundListenerIntent(
            bind="127.0.0.1",
            sidecar_port=15006,
            service_port=9080,
            protocol=protocol,
            mode="PERMISSIVE",
            handling=Handling(),
            authorization=AuthorizationIntent(
                name="policies", place=Place(ports=(9080,), trust_domain="cluster.local")
            ),
            asked=(checked,),
        )
    )
    listener = Listener.FromString(AnyMessage.FromString(resource.body).value)
    for each in listener.filter_chains:
        names = [found.name for found in each.filters]
        is_stream = names[-1] == "envoy.filters.network.tcp_proxy"
        assert is_stream == (names[-2:-1] == ["proa.mixer.closed"]), each.name
    assert rule in resource.objects
