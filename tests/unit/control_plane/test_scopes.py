"""Workloads between scopes: what they are told when a Sidecar is made, changed and taken away."""

import pytest

from proa.control_plane.proxies import Proxies
from proa.core.model.names import WorkloadId, cluster_name, service_hostname
from proa.core.model.settings import MeshSettings
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.wire import decode_response, encode_request
from proa.testing.builders import Mesh, registered_port, registration, simple

CLUSTER, LISTENER = ResourceType.CLUSTER, ResourceType.LISTENER
ONLY_A = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
spec:
  workloadSelector: {labels: {version: v1}}
  egress: [{hosts: [./a.default.svc.cluster.local]}]
"""
SEND_TO_C = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec: {hosts: [a.default.svc.cluster.local], http: [{route: [{destination: {host: c}}]}]}
"""


def cluster(name: str, port: int = 9080) -> str:
    return cluster_name("outbound", port, "", service_hostname(name, "default"))


def mesh_of_clients() -> Mesh:
    return Mesh(
        simple("a"),
        simple("b", number=7070, address="10.0.0.2"),
        simple("c", address="10.0.0.3"),
        registration("one", labels={"version": "v1"}),
        registration("two", labels={"version": "v2"}),
    )


def outbound(mesh: Mesh, workload: str) -> set[str]:
    return {name for name in mesh.source(workload).names(CLUSTER) if name.startswith("outbound|")}


def test_who_a_sidecar_is_for_has_what_it_imports_and_nothing_else() -> None:
    mesh = mesh_of_clients()
    assert outbound(mesh, "one") == outbound(mesh, "two") == {cluster("a"), cluster("b", 7070), cluster("c")}
    mesh.apply(ONLY_A)
    assert outbound(mesh, "one") == {cluster("a")}
    assert set(mesh.source("one").names(LISTENER)) == {"virtualOutbound", "0.0.0.0_9080"}
    assert outbound(mesh, "two") == {cluster("a"), cluster("b", 7070), cluster("c")}
    assert mesh.get("one", "http://a:9080/").cluster == cluster("a")
    assert mesh.get("one", "http://b:7070/").cluster == "PassthroughCluster"
    mesh.delete("Sidecar", "s")
    assert mesh.source("one").shared is mesh.source("two").shared


def test_a_hidden_host_is_answered_as_the_policy_says() -> None:
    mesh = mesh_of_clients()
    mesh.apply(ONLY_A + "  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n")
    assert mesh.get("one", "http://b:7070/").status == 502
    assert mesh.get("one", "http://a:9080/").cluster == cluster("a")
    assert mesh.get("two", "http://unknown.example.com/").cluster == "PassthroughCluster"


def test_a_policy_may_be_wider_than_the_meshs() -> None:
    mesh = Mesh(registration("one"), settings=MeshSettings(outbound_policy="REGISTRY_ONLY"))
    assert mesh.get("one", "http://x.example.com/").status == 502
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
spec: {outboundTrafficPolicy: {mode: ALLOW_ANY}}
""")
    assert mesh.get("one", "http://x.example.com/").cluster == "PassthroughCluster"


def test_where_imported_rules_send_exists_but_has_no_name() -> None:
    mesh = mesh_of_clients()
    mesh.apply(ONLY_A)
    mesh.source("one")
    mesh.apply(SEND_TO_C)
    assert outbound(mesh, "one") == {cluster("a"), cluster("c")}
    assert mesh.get("one", "http://a:9080/").cluster == cluster("c")
    assert mesh.get("one", "http://c:9080/").cluster == "PassthroughCluster"
    mesh.delete("VirtualService", "a")
    assert outbound(mesh, "one") == {cluster("a")}


def test_labels_that_change_change_the_scope() -> None:
    mesh = mesh_of_clients()
    mesh.apply(ONLY_A)
    mesh.source("two")
    mesh.place(registration("two", labels={"version": "v1"}))
    assert outbound(mesh, "two") == {cluster("a")}
    assert mesh.source("two").shared is mesh.source("one").shared


@pytest.mark.parametrize("namespace", ["default", "istio-system"])
def test_a_namespaces_and_the_meshs_default(namespace: str) -> None:
    mesh = mesh_of_clients()
    for each in ("one", "shop/client"):
        mesh.source(each)
    mesh.apply(f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: s, namespace: {namespace}}}
spec: {{egress: [{{hosts: ["~/*"]}}]}}
""")
    assert outbound(mesh, "one") == set()
    assert bool(outbound(mesh, "shop/client")) == (namespace == "default")


def test_a_stream_is_told_what_comes_and_goes_with_its_scope() -> None:
    mesh = mesh_of_clients()
    proxies = Proxies(mesh.world, clock=lambda: 0.0)
    one, two = (proxies.open(WorkloadId("default", name), "node") for name in ("one", "two"))
    for stream in (one, two):
        proxies.received(stream, encode_request(CLUSTER))
        for body in stream.take():
            proxies.received(stream, encode_request(CLUSTER, nonce=decode_response(body).nonce))

    def told() -> list[tuple[set[str], set[str]]]:
        found = []
        for body in one.take():
            response = decode_response(body)
            found.append(({each.name for each in response.changed}, set(response.removed)))
            proxies.received(one, encode_request(response.type, nonce=response.nonce))
        return found

    mesh.apply(ONLY_A)
    assert told() == [(set(), {cluster("b", 7070), "connect_7070", cluster("c")})]
    assert two.take() == []
    mesh.place(simple("d", number=7071, address="10.0.0.4"))
    assert told() == [], "what is not imported is no news"
    assert len(two.take()) == 1
    mesh.delete("Sidecar", "s")
    ((came, went),) = told()
    assert {cluster("b", 7070), cluster("c"), cluster("d", 7071)} <= came
    assert not went
    proxies.close(one)
    assert len(proxies.streams()) == 1


def test_rules_for_some_clients_hold_within_a_scope() -> None:
    mesh = mesh_of_clients()
    mesh.apply(ONLY_A)
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a]
  http:
  - match: [{sourceLabels: {version: v1}}]
    directResponse: {status: 201}
  - route: [{destination: {host: a}}]
""")
    mesh.place(simple("x", number=9080))
    assert mesh.get("one", "http://a:9080/").status == 201
    assert mesh.get("two", "http://a:9080/").cluster == cluster("a")
    mesh.delete("Sidecar", "s")
    assert mesh.get("one", "http://a:9080/").status == 201
    assert mesh.get("one", "http://c:9080/").cluster == cluster("c")


def test_programs_without_a_sidecar_have_one_too() -> None:
    served = registered_port("g", 50051, protocol="GRPC")
    mesh = Mesh(registration("g", served), registration("one", kind="proxyless", labels={"version": "v1"}))
    mesh.source("one")
    assert "g:50051" in mesh.source("one").names(LISTENER)
    mesh.apply(ONLY_A)
    assert "g:50051" not in mesh.source("one").names(LISTENER)


def test_the_way_to_the_own_program_follows_its_sidecar() -> None:
    mesh = mesh_of_clients()
    before = mesh.source("a-v1").lookup(CLUSTER, "inbound|9080||")
    mesh.source("b-v1")
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
spec: {ingress: [{port: {number: 9080}, defaultEndpoint: "127.0.0.1:7"}]}
""")
    found = mesh.source("a-v1").lookup(CLUSTER, "inbound|9080||")
    assert found is not None
    assert found != before
    assert mesh.source("b-v1").lookup(CLUSTER, "inbound|7070||") is None, "it lists other ports"
    mesh.delete("Sidecar", "s")
    assert mesh.source("a-v1").lookup(CLUSTER, "inbound|9080||") == before


THROUGH_C = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
spec:
  workloadSelector: {labels: {version: v1}}
  egress: [{hosts: [./a.default.svc.cluster.local]}]
  outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: c%s, port: {number: 9080}}}
"""


def test_unknown_hosts_are_asked_of_the_egress_proxy() -> None:
    mesh = mesh_of_clients()
    mesh.apply(THROUGH_C % "")
    found = mesh.get("one", "http://x.example.com/")
    assert found.route is not None
    assert (found.cluster, found.route.objects) == (cluster("c"), ("Sidecar/default/s",))
    assert mesh.get("one", "http://b:7070/").cluster == cluster("c"), "what is hidden is unknown"
    assert mesh.get("one", "http://a:9080/").cluster == cluster("a")
    assert mesh.get("two", "http://x.example.com/").cluster == "PassthroughCluster"
    mesh.displace("c-v1")
    assert mesh.get("one", "http://x.example.com/").status == 502
    (note,) = mesh.world.notes()
    assert (note.code, str(note.about)) == ("destination-missing", "Sidecar/default/s")
    mesh.place(simple("c", address="10.0.0.3"))
    assert mesh.get("one", "http://x.example.com/").cluster == cluster("c")
    assert mesh.world.notes() == ()


def test_an_egress_proxys_subset() -> None:
    mesh = mesh_of_clients()
    mesh.apply(THROUGH_C % ", subset: all")
    assert mesh.get("one", "http://x.example.com/").status == 502
    mesh.apply(FOR_V1.partition("---")[2])
    found = mesh.get("one", "http://x.example.com/")
    assert found.cluster == "outbound|9080|all|c.default.svc.cluster.local"


FOR_V1 = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: v1}
spec:
  host: c
  workloadSelector: {matchLabels: {version: v1}}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: all}
spec: {host: c, subsets: [{name: all}]}
"""


def test_a_policy_for_some_workloads_is_theirs_alone_and_comes_first() -> None:
    mesh = mesh_of_clients()
    mesh.place(registration("shop/one", labels={"version": "v1"}))
    for each in ("one", "two", "shop/one"):
        mesh.source(each)
    mesh.apply(FOR_V1)

    def subsets(workload: str) -> set[str]:
        parts = (name.split("|") for name in mesh.source(workload).names(CLUSTER))
        return {each[2] for each in parts if len(each) == 4 and each[2]}

    assert (subsets("one"), subsets("two"), subsets("shop/one")) == ({"v1"}, {"all"}, {"all"})
    mesh.delete("DestinationRule", "all")
    assert (subsets("one"), subsets("two"), subsets("shop/one")) == ({"v1"}, set(), set())
    mesh.place(registration("two", labels={"version": "v1"}))
    assert mesh.source("two").shared is mesh.source("one").shared
    mesh.delete("DestinationRule", "v1")
    assert subsets("one") == set()


def test_a_gateway_obeys_policies_for_its_labels() -> None:
    mesh = mesh_of_clients()
    mesh.place(registration("edge", kind="gateway", labels={"version": "v1"}))
    mesh.source("edge")
    mesh.apply(FOR_V1)
    assert "outbound|9080|v1|c.default.svc.cluster.local" in mesh.source("edge").names(CLUSTER)
