"""Scopes' bundles by hand: what the laws (tests/properties/pilot) leave to examples."""

from proa.core.pilot.resource import ResourceType
from proa.testing.builders import Mesh, simple

LISTENER, CLUSTER, ROUTE = ResourceType.LISTENER, ResourceType.CLUSTER, ResourceType.ROUTE


def names(mesh: Mesh, workload: str, kind: ResourceType) -> set[str]:
    return set(mesh.source(workload).names(kind))


def test_an_internal_listener_for_each_port_that_anybody_has() -> None:
    mesh = Mesh(simple("a", number=80), simple("b", number=81, address="10.0.0.2"))
    assert {"0.0.0.0_80", "0.0.0.0_81", "virtualOutbound"} == names(mesh, "client", LISTENER)
    mesh.displace("b-v1")
    assert {"0.0.0.0_80", "virtualOutbound"} == names(mesh, "client", LISTENER)
    assert "connect_81" not in names(mesh, "client", CLUSTER)
    assert mesh.source("client").lookup(ROUTE, "81") is None


PASSTHROUGH = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e}
spec: {hosts: ['*.example.com'], resolution: NONE, ports: [{number: 80, name: http, protocol: HTTP}]}
"""


def test_a_port_that_passthrough_had_first() -> None:
    mesh = Mesh()
    mesh.source("client")
    mesh.apply(PASSTHROUGH)
    mesh.place(simple("a", number=80))
    route = mesh.source("client").lookup(ROUTE, "80")
    assert route is not None
    assert b"*.example.com" in route.body
