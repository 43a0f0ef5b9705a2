"""What one proxy is served of what there is."""

from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.testing.builders import Mesh, registration, simple

LISTENER, CLUSTER = ResourceType.LISTENER, ResourceType.CLUSTER


def names(mesh: Mesh, workload: str, kind: ResourceType) -> set[str]:
    return set(mesh.source(workload).names(kind))


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
