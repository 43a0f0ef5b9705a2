"""Limits and defaults of a workload's streams; the ways they take are shown by simulation beside `outbound`."""

import pytest

from proa.core.model.names import ObjectRef
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.views import HostView, host_view
from proa.core.pilot.translate.outbound_streams import outbound_streams, upstream_stream
from proa.testing.builders import Mesh, simple

HOST = "lines.default.svc.cluster.local"
LIMITED = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: lines}
spec: {host: lines, trafficPolicy: {connectionPool: {tcp: {idleTimeout: 3s, maxConnectionDuration: 9s}}}}
"""
TLS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: lines}
spec:
  hosts: [lines]
  tls: [{match: [{sniHosts: [lines]}], route: [{destination: {host: elsewhere}}]}]
"""


def view(mesh: Mesh) -> HostView:
    found = host_view(mesh.world.snapshot, mesh.world.index, Scope("default"), HOST)
    assert found is not None
    return found


@pytest.mark.parametrize(("protocol", "idle"), [("TCP", 3000), ("TLS", 3000), ("AUTO", None), ("HTTP", None)])
def test_tunnels_that_may_carry_requests_have_no_limits(protocol: str, idle: int | None) -> None:
    mesh = Mesh(simple("lines", number=9000, protocol=protocol))
    mesh.apply(LIMITED)
    seen = view(mesh)
    assert seen.service is not None
    (default,) = outbound_streams(seen, seen.service, seen.service.ports[0]).streams
    assert default.stream.idle_timeout_ms == idle


def test_a_local_port_has_the_limits_of_its_service() -> None:
    mesh = Mesh(simple("lines", number=9000, protocol="TCP"))
    mesh.apply(LIMITED)
    stream, objects = upstream_stream(view(mesh), HOST, 9000)
    assert (stream.idle_timeout_ms, stream.max_duration_ms, objects) == (3000, 9000, ())


def test_a_local_port_of_nobody_leads_to_where_somebody_will_be() -> None:
    stream, _ = upstream_stream(None, HOST, 9000)
    assert stream.targets[0].cluster == f"outbound|9000||{HOST}"


def test_the_upstreams_name_stands_for_the_sni() -> None:
    mesh = Mesh(simple("lines", number=9000, protocol="TLS"))
    mesh.apply(TLS)
    stream, objects = upstream_stream(view(mesh), HOST, 9000)
    assert stream.targets[0].cluster == "BlackHoleCluster", "elsewhere does not exist"
    assert objects == (ObjectRef("VirtualService", "default", "lines"),)
