"""Scopes' bundles by hand: what the laws (tests/properties/pilot) leave to examples."""

from proa.core.model.settings import MeshSettings, TelemetryProvider, ZipkinTracer
from proa.core.model.snapshot import Change
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


def settings(*tracers: ZipkinTracer) -> MeshSettings:
    providers = (TelemetryProvider(name=str(number), tracer=tracer) for number, tracer in enumerate(tracers))
    return MeshSettings(telemetry_providers=tuple(providers))


GONE = ZipkinTracer(host="gone.x", port=9411)
ZIPKIN = ZipkinTracer(host="zipkin.default.svc.cluster.local", port=9411)


def test_a_collector_has_a_cluster_whether_or_not_there_is_one() -> None:
    """So its service may come and go, and no listener that names it differs or is refused."""
    elsewhere = ZipkinTracer(host=ZIPKIN.host, port=80)
    mesh = Mesh(simple("web"), settings=settings(ZIPKIN, elsewhere))
    source = mesh.source("web-v1")
    standing = source.lookup(CLUSTER, ZIPKIN.cluster)
    assert standing is not None
    notes = {note.message for note in mesh.world.notes() if note.code == "collector-missing"}
    assert len(notes) == 2
    mesh.place(simple("zipkin", number=9411, address="10.0.0.9"))
    found = source.lookup(CLUSTER, ZIPKIN.cluster)
    assert found is not None
    assert found.digest != standing.digest
    assert source.lookup(CLUSTER, elsewhere.cluster) is not None
    mesh.displace("zipkin-v1")
    assert source.lookup(CLUSTER, ZIPKIN.cluster) == standing


def test_a_collector_that_is_named_no_more_has_no_cluster() -> None:
    mesh = Mesh(simple("zipkin", number=9411, address="10.0.0.9"), settings=settings(ZIPKIN, GONE))
    source = mesh.source("client")
    assert source.lookup(CLUSTER, GONE.cluster) is not None
    mesh.world.fold_in([Change(settings=settings())])
    assert source.lookup(CLUSTER, GONE.cluster) is None
    assert source.lookup(CLUSTER, ZIPKIN.cluster) is not None, "the service is there whoever names it"
    assert not [note for note in mesh.world.notes() if note.code == "collector-missing"]
