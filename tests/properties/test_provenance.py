"""That whoever asked for a route or cluster is named on it: explanations have no other source."""

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import Decoder, objects_of
from proa.testing.builders import Mesh, registration, simple
from tests.unit.core.pilot.explain.conftest import SERVICES
from tests.unit.core.pilot.explain.test_hops import RULES

NOBODYS_HOSTS = {"allow_any"}
"""The mesh's own, which no object asks for."""
NOBODYS_CLUSTERS = ("BlackHoleCluster", "PassthroughCluster", "connect_")
EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: moved}
spec:
  selector: {app: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com], tls: {httpsRedirect: true}}]
"""


def test_every_route_and_cluster_that_an_object_causes_names_it() -> None:
    mesh = Mesh(simple("ratings"), registration("edge", kind="gateway", labels={"app": "edge"}))
    mesh.apply(SERVICES)
    mesh.apply(RULES.replace("gateways: [mesh, edge]", "gateways: [mesh, edge, moved]"))
    mesh.apply(EDGE)
    nameless: set[str] = set()
    named = 0
    for workload in ("client", "edge"):
        source = mesh.source(workload)
        decoder = Decoder(source.lookup)
        for name in source.names(ResourceType.ROUTE):
            routes = decoder.routes(name)
            assert routes is not None
            for host in routes.virtual_hosts:
                for route in host.routes:
                    found = objects_of(route.metadata)
                    named += bool(found)
                    if not found and "ratings" not in host.name:
                        nameless.add(host.name)
        for name in source.names(ResourceType.CLUSTER):
            cluster = decoder.cluster(name)
            assert cluster is not None
            is_nobodys = name.startswith(NOBODYS_CLUSTERS) or "ratings" in name
            assert is_nobodys or objects_of(cluster.metadata), name
    assert nameless == NOBODYS_HOSTS
    assert named > 10
