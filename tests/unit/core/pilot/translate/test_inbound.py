import msgspec
from envoy.config.listener.v3.listener_pb2 import Listener
from immutables import Map

from proa.core.config.app_endpoint import AppEndpoint
from proa.core.config.connection_pool import ConnectionPool, HttpPool, TcpPool
from proa.core.config.server_tls import ServerTls
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.settings import Handling
from proa.core.model.workload import InboundPort, Workload
from proa.core.pilot.scope.inbound import InboundView, ServedPort
from proa.core.pilot.simulate import OWN_TLS, RAW
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.simulate.walk import find_chain
from proa.core.pilot.translate.inbound import inbound_clusters, inbound_listeners
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
    (listener,) = inbound_listeners(view, WORKLOAD, Handling())
    assert (listener.bind, listener.sidecar_port, listener.protocol) == ("10.0.0.7", 20_000, "HTTP")


def test_what_nobody_limits() -> None:
    view = InboundView(ports=(ServedPort(port=PORT, app=AppEndpoint(port=8080)),))
    (cluster,) = inbound_clusters(view)
    assert (cluster.connect_timeout_ms, cluster.objects, cluster.pool.max_connections) == (10_000, (), 0)


def test_tls_for_callers_outside_the_mesh() -> None:
    port = msgspec.structs.replace(PORT, mode="DISABLE")
    tls = ServerTls(mode="SIMPLE", credential_name="c")
    served = ServedPort(port=port, app=AppEndpoint(port=8080), sidecar=SIDECAR, tls=tls)
    (intent,) = inbound_listeners(InboundView(ports=(served,)), WORKLOAD, Handling())
    assert (intent.tls, intent.objects) == (served_tls(tls), (SIDECAR,))
    resource = build_inbound_listener(intent)
    listener = decode(resource, Listener)
    assert resource.objects == (SIDECAR,)
    (chain,) = listener.filter_chains
    assert chain.filter_chain_match.transport_protocol == "tls"
    assert find_chain(listener, OWN_TLS) == chain
    assert find_chain(listener, RAW) is None
