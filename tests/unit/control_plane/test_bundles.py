"""Bundles by hand: what the laws (tests/properties/pilot) leave to examples."""

from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.testing.builders import Mesh, registration, simple

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


def test_a_proxy_without_the_explicit_listener_has_nothing_of_what_hangs_behind_it() -> None:
    mesh = Mesh(simple("a"), registration("server", outbound=False))
    assert names(mesh, "server", LISTENER) == set()
    assert not {each for each in names(mesh, "server", CLUSTER) if each.startswith("connect_")}
    assert "outbound|9080||a.default.svc.cluster.local" in names(mesh, "server", CLUSTER)


def test_a_source_says_that_a_name_is_unknown_only_when_the_world_is_complete() -> None:
    mesh = Mesh()
    assert mesh.source("client").knows(CLUSTER, "x")
    waiting = mesh.world.source_for(WorkloadId("default", "client"), complete=False)
    assert not waiting.knows(CLUSTER, "x")
    assert not waiting.knows_all(CLUSTER)


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
