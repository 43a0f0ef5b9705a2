"""What gRPC's own client is told: by name, in its dialect, and nothing that it would refuse."""

from typing import TypeVar

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from proa.core.auth.peer_policy import settled
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.translate.proxyless import CERTIFICATE_PROVIDER
from proa.testing.builders import Mesh, registration, simple

LISTENER, ROUTE = ResourceType.LISTENER, ResourceType.ROUTE
CLUSTER, ENDPOINT = ResourceType.CLUSTER, ResourceType.ENDPOINT
HOST = "greeter.default.svc.cluster.local"
M = TypeVar("M", bound=Message)

SPLIT = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter}
spec:
  hosts: [greeter]
  http:
  - route:
    - {destination: {host: greeter, subset: v1}, weight: 80}
    - {destination: {host: greeter, subset: v2}, weight: 20}
"""


def mesh(protocol: str = "GRPC") -> Mesh:
    return Mesh(
        *(
            simple("greeter", version, number=50051, protocol=protocol, address=f"10.0.0.{number}")
            for number, version in enumerate(("v1", "v2"), start=1)
        ),
        registration("caller", kind="proxyless"),
    )


def read(made: Mesh, kind: ResourceType, name: str, message: type[M]) -> M:
    resource = made.source("caller").lookup(kind, name)
    assert resource is not None, name
    return message.FromString(AnyMessage.FromString(resource.body).value)


def addresses(made: Mesh, cluster: str) -> list[str]:
    assignment = read(made, ENDPOINT, cluster, ClusterLoadAssignment)
    return [
        each.endpoint.address.socket_address.address
        for group in assignment.endpoints
        for each in group.lb_endpoints
    ]


def test_a_target_leads_to_endpoints() -> None:
    made = mesh()
    for target in ("greeter:50051", "greeter.default:50051", f"{HOST}:50051"):
        listener = read(made, LISTENER, target, Listener)
        manager = HttpConnectionManager.FromString(listener.api_listener.api_listener.value)
        assert manager.http_filters[-1].name == "envoy.filters.http.router"
        routes = read(made, ROUTE, manager.rds.route_config_name, RouteConfiguration)
        assert list(routes.virtual_hosts[0].domains) == ["*"]
        cluster = read(made, CLUSTER, routes.virtual_hosts[0].routes[0].route.cluster, Cluster)
        assert cluster.lb_policy == Cluster.ROUND_ROBIN
        assert addresses(made, cluster.eds_cluster_config.service_name) == ["10.0.0.1", "10.0.0.2"]


def test_mutual_tls_by_files_with_the_servers_account() -> None:
    cluster = read(mesh(), CLUSTER, f"outbound|50051||{HOST}", Cluster)
    context = UpstreamTlsContext.FromString(cluster.transport_socket.typed_config.value).common_tls_context
    validation = context.validation_context
    assert context.tls_certificate_provider_instance.instance_name == CERTIFICATE_PROVIDER
    assert validation.ca_certificate_provider_instance.instance_name == CERTIFICATE_PROVIDER
    assert [each.exact for each in validation.match_subject_alt_names] == [
        "spiffe://cluster.local/ns/default/sa/greeter"
    ]
    # What the client refuses.
    assert not context.HasField("tls_params")
    assert not cluster.transport_socket_matches


def test_a_split_by_weight() -> None:
    made = mesh("AUTO")
    made.apply(SPLIT)
    routes = read(made, ROUTE, f"{HOST}:50051", RouteConfiguration)
    route = routes.virtual_hosts[0].routes[0]
    assert [(each.name, each.weight.value) for each in route.route.weighted_clusters.clusters] == [
        (f"outbound|50051|v1|{HOST}", 80),
        (f"outbound|50051|v2|{HOST}", 20),
    ]
    assert not any(each.typed_per_filter_config for each in route.route.weighted_clusters.clusters)
    assert addresses(made, f"outbound|50051|v2|{HOST}") == ["10.0.0.2"]
    assert read(made, CLUSTER, f"outbound|50051|v2|{HOST}", Cluster).lb_policy == Cluster.ROUND_ROBIN


def test_endpoints_without_a_sidecar_are_left_out_as_long_as_others_have_one() -> None:
    made = mesh()
    plain = simple("greeter", "v3", number=50051, protocol="GRPC", address="10.0.0.3")
    made.place(plain, port_tls={50051: settled("DISABLE")})
    name = f"outbound|50051||{HOST}"
    assert addresses(made, name) == ["10.0.0.1", "10.0.0.2"]
    made.displace("greeter-v1", "greeter-v2")
    assert addresses(made, name) == ["10.0.0.3"]
    assert not read(made, CLUSTER, name, Cluster).HasField("transport_socket")


def test_ports_that_carry_no_grpc_do_not_exist_for_it() -> None:
    made = Mesh(simple("web", protocol="HTTP"), registration("caller", kind="proxyless"))
    assert made.source("caller").lookup(LISTENER, "web:9080") is None


def test_a_change_is_told_by_name_and_only_to_proxyless_workloads() -> None:
    made = mesh()
    made.source("client")
    caller = made.source("caller")
    assert caller.lookup(LISTENER, "greeter:50051") is not None
    told: list[dict[WorkloadId, set[tuple[ResourceType, str]]]] = []
    made.world.subscribe(lambda generation, affected, scopes, workloads: told.append(workloads))
    made.apply(SPLIT)
    names = told[0][WorkloadId("default", "caller")]
    assert (ROUTE, f"{HOST}:50051") in names
    assert (CLUSTER, f"outbound|50051|v1|{HOST}") in names
    assert (LISTENER, "greeter:50051") not in names
    assert WorkloadId("default", "client") not in told[0]


def test_a_registration_may_come_after_the_stream() -> None:
    made = Mesh(simple("greeter", number=50051, protocol="GRPC"))
    late = made.source("late")
    assert late.lookup(LISTENER, "greeter:50051") is None
    told: list[dict[WorkloadId, set[tuple[ResourceType, str]]]] = []
    made.world.subscribe(lambda generation, affected, scopes, workloads: told.append(workloads))
    made.place(registration("late", kind="proxyless"))
    assert (LISTENER, "greeter:50051") in told[0][WorkloadId("default", "late")]
    assert late.lookup(LISTENER, "greeter:50051") is not None


def test_hashing_and_ejection_in_its_words() -> None:
    made = mesh()
    made.apply("""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user, ringHash: {minimumRingSize: 64}}}
    outlierDetection: {consecutive5xxErrors: 3, minHealthPercent: 50}
""")
    cluster = read(made, CLUSTER, f"outbound|50051||{HOST}", Cluster)
    assert cluster.lb_policy == Cluster.RING_HASH
    assert cluster.ring_hash_lb_config.minimum_ring_size.value == 64
    outlier = cluster.outlier_detection
    assert (outlier.failure_percentage_request_volume.value, outlier.failure_percentage_threshold.value) == (
        3,
        99,
    )
    assert outlier.enforcing_failure_percentage.value == 100
    routes = read(made, ROUTE, f"{HOST}:50051", RouteConfiguration)
    assert routes.virtual_hosts[0].routes[0].route.hash_policy[0].header.header_name == "x-user"
    (note,) = [each for each in made.world.notes() if each.code == "proxyless-cannot"]
    assert "outlierDetection.minHealthPercent" in note.message
    assert note.about.name == "greeter"
