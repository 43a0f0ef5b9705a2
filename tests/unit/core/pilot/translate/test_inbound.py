import msgspec
import pytest
from envoy.config.listener.v3.listener_pb2 import Listener
from immutables import Map

from proa.core.auth.authorization.values import Policy, Rule, Term, Value
from proa.core.config.app_endpoint import AppEndpoint
from proa.core.config.connection_pool import ConnectionPool, HttpPool, TcpPool
from proa.core.config.server_tls import ServerTls
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.secret_names import PEER_ROOTS
from proa.core.model.service import Protocol
from proa.core.model.settings import MeshSettings
from proa.core.model.workload import InboundPort, TlsMode, Workload
from proa.core.pilot.scope.authorization import AuthorizationView
from proa.core.pilot.scope.inbound import InboundView, ServedPort
from proa.core.pilot.simulate import OWN_TLS, RAW
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.simulate.walk import find_chain
from proa.core.pilot.translate.inbound import (
    inbound_authorization,
    inbound_clusters,
    inbound_listeners,
    port_authorization,
)
from proa.core.pilot.translate.listeners.inbound import build_inbound_listener
from proa.core.pilot.translate.operator_tls import served_tls

SIDECAR = ObjectRef("Sidecar", "default", "s")
PORT = InboundPort(service_port=80, service="a", protocol="HTTP", app_port=8080, sidecar_port=20_000)
WORKLOAD = Workload(
    id=WorkloadId("default", "a"), kind="sidecar", node="n", account="a", labels=Map(), bind="10.0.0.7"
)


def test_limits_and_places() -> None:
    pool = ConnectionPool(
        tcp=TcpPool(max_connections=3, connect_timeout=250),
        http=HttpPool(h2_upgrade_policy="UPGRADE", http1_max_pending_requests=2),
    )
    app = AppEndpoint(socket="/run/a")
    view = InboundView(ports=(ServedPort(port=PORT, app=app, pool=pool, sidecar=SIDECAR),))
    (cluster,) = inbound_clusters(view)
    assert (cluster.app, cluster.connect_timeout_ms, cluster.objects) == (app, 250, (SIDECAR,))
    assert (cluster.pool.max_connections, cluster.pool.max_pending_requests) == (3, 2)
    assert cluster.pool.http == "declared", "the program speaks what it speaks"
    (listener,) = inbound_listeners(view, AuthorizationView(), WORKLOAD, MeshSettings())
    assert (listener.bind, listener.sidecar_port, listener.protocol) == ("10.0.0.7", 20_000, "HTTP")


def test_what_nobody_limits() -> None:
    view = InboundView(ports=(ServedPort(port=PORT, app=AppEndpoint(port=8080)),))
    (cluster,) = inbound_clusters(view)
    assert (cluster.connect_timeout_ms, cluster.objects, cluster.pool.max_connections) == (10_000, (), 0)


def test_tls_for_callers_outside_the_mesh() -> None:
    port = msgspec.structs.replace(PORT, mode="DISABLE")
    tls = ServerTls(mode="SIMPLE", credential_name="c")
    served = ServedPort(port=port, app=AppEndpoint(port=8080), sidecar=SIDECAR, tls=tls)
    (intent,) = inbound_listeners(InboundView(ports=(served,)), AuthorizationView(), WORKLOAD, MeshSettings())
    assert (intent.tls, intent.objects) == (served_tls(tls), (SIDECAR,))
    resource = build_inbound_listener(intent)
    listener = decode(resource, Listener)
    assert resource.objects == (SIDECAR,)
    (chain,) = listener.filter_chains
    assert chain.filter_chain_match.transport_protocol == "tls"
    assert find_chain(listener, OWN_TLS) == chain
    assert find_chain(listener, RAW) is None


def test_what_a_port_is_known_by() -> None:
    """The program's number may be any: it counts where somebody asks for ports, and nowhere else."""
    ref = ObjectRef("AuthorizationPolicy", "default", "a")
    asks = Term(attribute="port", values=(Value("number", "8080"),))
    plain = Policy(ref=ref, action="DENY", rules=(Rule(name="r"),))
    policy = Policy(ref=ref, action="DENY", rules=(Rule(name="r", conditions=(asks,)),))
    settings = MeshSettings()
    assert port_authorization(PORT, AuthorizationView(everywhere=(plain,)), settings).place.ports == (80,)
    assert port_authorization(PORT, AuthorizationView(everywhere=(policy,)), settings).place.ports == (
        8080,
        80,
    )


def test_plain_text_has_policies_of_its_own() -> None:
    def names(protocol: Protocol, mode: TlsMode) -> list[str]:
        port = msgspec.structs.replace(PORT, protocol=protocol, mode=mode)
        view = InboundView(ports=(ServedPort(port=port, app=AppEndpoint(port=8080)),))
        return [each.name for each in inbound_authorization(view, AuthorizationView(), MeshSettings())]

    assert names("HTTP", "STRICT") == ["proa.authz.80"]
    assert names("AUTO", "PERMISSIVE") == ["proa.authz.80", "proa.authz.80.plain"]
    assert names("HTTP", "DISABLE") == ["proa.authz.80.plain"]
    assert names("TCP", "PERMISSIVE") == [], "streams have theirs in the listener"


@pytest.mark.parametrize("knows", [False, True])
def test_only_an_agent_that_knows_partners_is_asked_for_their_bundles(knows: bool) -> None:
    """One of before would leave the listener without any."""
    workload = msgspec.structs.replace(WORKLOAD, knows_partners=knows)
    view = InboundView(ports=(ServedPort(port=PORT, app=AppEndpoint(port=8080)),))
    (intent,) = inbound_listeners(view, AuthorizationView(), workload, MeshSettings())
    body = build_inbound_listener(intent).body
    assert (b"ROOTCA" in body, PEER_ROOTS.encode() in body) == (not knows, knows)
