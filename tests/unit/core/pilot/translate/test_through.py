"""The clusters behind mesh TLS that passes a gateway: one per port and subset, with the service's own endpoints."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import decode
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, registration, simple
from tests.unit.core.pilot.translate.test_gateway import INGRESS, edge, server, serving

SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}
"""
OUTSIDE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec: {hosts: ["*.outside.local"], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
"""


def through(mesh: Mesh) -> list[str]:
    own = mesh.source(INGRESS).own.resources
    return sorted(name for kind, name in own if kind is ResourceType.CLUSTER)


def test_clusters_are_named_as_they_are_asked_for() -> None:
    mesh = edge(443)
    mesh.apply(SUBSETS)
    mesh.apply(OUTSIDE)
    assert through(mesh) == []
    mesh.apply(serving(server("TLS", "AUTO_PASSTHROUGH")))
    names = [f"outbound_.9080_.{subset}_.reviews.default.svc.cluster.local" for subset in ("", "v1")]
    assert through(mesh) == names
    resource = mesh.source(INGRESS).lookup(ResourceType.CLUSTER, names[1])
    assert resource is not None
    cluster = decode(resource, Cluster)
    assert cluster.eds_cluster_config.service_name == "outbound|9080|v1|reviews.default.svc.cluster.local"
    assert not cluster.transport_socket_matches
    mesh.place(simple("ratings", address="10.0.0.3"))
    assert len(through(mesh)) == 3


def test_a_wildcard_cannot_be_asked_for() -> None:
    mesh = edge(443)
    mesh.apply(
        OUTSIDE.replace("NONE", "STATIC").replace("ports:", "endpoints: [{address: 192.0.2.1}], ports:")
    )
    mesh.apply(serving(server("TLS", "AUTO_PASSTHROUGH")))
    assert len(through(mesh)) == 1


def test_names_that_are_looked_up_are_near_and_far_as_well() -> None:
    """Their addresses are part of the cluster, which is the gateway's own."""
    mesh = edge(443)
    labels = {"istio": "ingressgateway"}
    ports = (GatewayPort(server_port=443, bound_port=443),)
    mesh.place(registration(INGRESS, kind="gateway", labels=labels, gateway_ports=ports, locality="us/a"))
    mesh.apply(serving(server("TLS", "AUTO_PASSTHROUGH")))
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: named, annotations: {networking.istio.io/traffic-distribution: PreferClose}}
spec:
  hosts: [named.example.com]
  resolution: DNS
  ports: [{number: 443, name: tls, protocol: TLS}]
  endpoints: [{address: eu.example.com, locality: eu/a}, {address: us.example.com, locality: us/a}]
""")
    resource = mesh.source(INGRESS).lookup(ResourceType.CLUSTER, "outbound_.443_._.named.example.com")
    assert resource is not None
    groups = decode(resource, Cluster).load_assignment.endpoints
    assert [(group.priority, group.locality.region) for group in groups] == [(0, "us"), (1, "eu")]
