"""Which way a workload's calls go: by name, by port, by protocol, to the mesh and out of it."""

import pytest

from proa.core.model.settings import MeshSettings
from proa.core.pilot.simulate import (
    HTTP1,
    MESH_HTTP1,
    OWN_TLS,
    RAW,
    Connect,
    Connection,
    Forwarded,
    Inbound,
    Mutual,
    Plain,
)
from proa.testing.builders import Mesh, registered_port, registration, simple

REVIEWS = "outbound|9080||reviews.default.svc.cluster.local"
PASSTHROUGH = "PassthroughCluster"


def entry(spec: str, name: str = "out") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec: {{{spec}}}
"""


@pytest.mark.parametrize(
    "authority",
    [
        "reviews:9080",
        "REVIEWS:9080",
        "reviews.default:9080",
        "reviews.default.svc:9080",
        "reviews.default.svc.cluster.local:9080",
    ],
)
def test_every_spelling_of_a_service(authority: str) -> None:
    mesh = Mesh(simple("reviews"))
    assert mesh.get("client", f"http://{authority}/").cluster == REVIEWS
    tunnel = mesh.get("client", f"http://{authority}/", via=Connect(authority=authority))
    assert (tunnel.listener, tunnel.filter_chain, tunnel.cluster) == ("0.0.0.0_9080", "http", REVIEWS)


def test_a_bare_name_means_a_service_of_the_own_namespace() -> None:
    mesh = Mesh(simple("shop/reviews"))
    assert mesh.get("client", "http://reviews:9080/").cluster == PASSTHROUGH
    assert mesh.get("shop/client", "http://reviews:9080/").cluster.endswith("reviews.shop.svc.cluster.local")
    assert mesh.get("client", "http://reviews.shop:9080/").cluster.endswith("reviews.shop.svc.cluster.local")


def test_no_port_is_port_80() -> None:
    mesh = Mesh(simple("web", number=80))
    for url in ("http://web/", "http://web:80/"):
        assert mesh.get("client", url).cluster == "outbound|80||web.default.svc.cluster.local"


def test_a_name_the_mesh_does_not_know() -> None:
    open_mesh = Mesh()
    outcome = open_mesh.get("client", "http://example.com/")
    assert outcome.route is not None
    assert outcome.route.guarded
    assert [(each.address, each.port) for each in outcome.candidates] == [("example.com", 80)]
    tunnel = open_mesh.get("client", "https://example.com/", via=Connect(authority="example.com:443"))
    assert [(each.address, each.port) for each in tunnel.candidates] == [("example.com", 443)]
    closed = Mesh(settings=MeshSettings(outbound_policy="REGISTRY_ONLY"))
    assert closed.get("client", "http://example.com/").status == 502
    assert (
        closed.get("client", "https://example.com/", via=Connect(authority="example.com:443")).status == 502
    )


@pytest.mark.parametrize(
    ("protocol", "carries", "chain", "is_forwarded"),
    [
        ("TCP", RAW, "stream", True),
        ("TCP", OWN_TLS, "stream", True),
        ("TLS", OWN_TLS, "stream", True),
        ("AUTO", RAW, "stream", True),
        ("AUTO", OWN_TLS, "stream", True),
        ("AUTO", HTTP1, "http", True),
        ("HTTP", HTTP1, "http", True),
        ("HTTP", RAW, "stream", True),
    ],
)
def test_what_flows_in_a_tunnel(protocol: str, carries: Connection, chain: str, is_forwarded: bool) -> None:
    mesh = Mesh(simple("db", protocol=protocol, number=7000))
    outcome = mesh.get("client", "http://db:7000/", via=Connect(authority="db:7000", carries=carries))
    assert outcome.filter_chain == chain
    assert isinstance(outcome.end, Forwarded) == is_forwarded
    assert outcome.cluster == "outbound|7000||db.default.svc.cluster.local"


def test_a_plain_request_to_a_port_without_http_is_told_so() -> None:
    outcome = Mesh(simple("db", protocol="TCP", number=6379)).get("client", "http://db:6379/")
    assert outcome.status == 400


def test_half_a_service_in_the_mesh() -> None:
    """mTLS is a fact of the endpoint."""
    mesh = Mesh(simple("reviews"))
    mesh.apply(entry(
        "hosts: [reviews.default.svc.cluster.local], location: MESH_INTERNAL, resolution: STATIC,"
        " ports: [{number: 9080, name: http, protocol: HTTP}], endpoints: [{address: 192.0.2.1}]"
    ))  # fmt: skip
    found = {each.address: each.transport for each in mesh.get("client", "http://reviews:9080/").candidates}
    assert isinstance(found["10.0.0.1"], Mutual)
    assert found["10.0.0.1"].accounts == ("spiffe://cluster.local/ns/default/sa/reviews",)
    assert found["192.0.2.1"] == Plain()


HTTP_PORT = "ports: [{number: 80, name: http, protocol: HTTP}]"


def test_a_service_found_by_dns() -> None:
    mesh = Mesh()
    mesh.apply(entry(f"hosts: [x.example.com], resolution: DNS, {HTTP_PORT}"))
    outcome = mesh.get("client", "http://x.example.com/")
    assert outcome.cluster == "outbound|80||x.example.com"
    assert [(each.address, each.port) for each in outcome.candidates] == [("x.example.com", 80)]


def test_a_service_that_is_where_its_name_says() -> None:
    mesh = Mesh(settings=MeshSettings(outbound_policy="REGISTRY_ONLY"))
    mesh.apply(entry(f"hosts: ['*.example.com'], resolution: NONE, {HTTP_PORT}"))
    outcome = mesh.get("client", "http://a.example.com/")
    assert outcome.cluster == PASSTHROUGH
    assert outcome.route is not None
    assert outcome.route.guarded
    assert [each.address for each in outcome.candidates] == ["a.example.com"]
    assert mesh.get("client", "http://example.com/").status == 502


def test_fixed_addresses_with_ports_of_their_own() -> None:
    mesh = Mesh()
    mesh.apply(entry(
        f"hosts: [x.example.com], resolution: STATIC, {HTTP_PORT},"
        " endpoints: [{address: 192.0.2.1, ports: {http: 8080}, weight: 3}, {address: 'unix:///run/x'}]"
    ))  # fmt: skip
    found = mesh.get("client", "http://x.example.com/").candidates
    assert {(each.address, each.port, each.weight) for each in found} == {
        ("192.0.2.1", 8080, 3),
        ("unix:///run/x", 0, 1),
    }


def test_a_selector_picks_entries_and_workloads() -> None:
    mesh = Mesh(simple("legacy"), simple("other", address="10.0.0.9"))
    mesh.apply(
        entry("hosts: [x.example.com], location: MESH_INTERNAL, resolution: STATIC,"
        " ports: [{number: 80, name: http-9080, protocol: HTTP}], workloadSelector: {labels: {app: legacy}}")
        + """
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm}
spec: {address: 192.0.2.7, labels: {app: legacy}, ports: {http-9080: 8080}, serviceAccount: vm}
"""
    )  # fmt: skip
    found = mesh.get("client", "http://x.example.com/").candidates
    assert {(each.address, each.port) for each in found} == {("10.0.0.1", 20000), ("192.0.2.7", 8080)}
    mesh.delete("WorkloadEntry", "vm")
    assert [each.address for each in mesh.get("client", "http://x.example.com/").candidates] == ["10.0.0.1"]


def test_export_to() -> None:
    mesh = Mesh()
    mesh.apply(entry(f"hosts: [x.example.com], resolution: DNS, exportTo: [.], {HTTP_PORT}"), "shop")
    assert mesh.get("shop/client", "http://x.example.com/").cluster == "outbound|80||x.example.com"
    assert mesh.get("client", "http://x.example.com/").cluster == PASSTHROUGH


def test_a_rule_for_many_hosts_yields_to_one_for_one_host() -> None:
    mesh = Mesh()
    for host in ("*.example.com", "a.example.com"):
        name = "wide" if "*" in host else "narrow"
        mesh.apply(f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec: {{hosts: ["{host}"], http: [{{directResponse: {{status: 200, body: {{string: {name}}}}}}}]}}
""")
    said = [mesh.get("client", f"http://{name}.example.com/").end for name in "ab"]
    assert [getattr(each, "body", None) for each in said] == ["narrow", "wide"]
    mesh.delete("VirtualService", "narrow")
    assert getattr(mesh.get("client", "http://a.example.com/").end, "body", None) == "wide"


def test_a_host_owns_its_name_against_another_hosts_short_one() -> None:
    mesh = Mesh(simple("web", number=80))
    mesh.apply(entry(f"hosts: [web.default], resolution: DNS, {HTTP_PORT}"))
    assert mesh.get("client", "http://web.default/").cluster == "outbound|80||web.default"
    assert mesh.get("client", "http://web/").cluster == "outbound|80||web.default.svc.cluster.local"
    mesh.delete("ServiceEntry", "out")
    assert mesh.get("client", "http://web.default/").cluster == "outbound|80||web.default.svc.cluster.local"


def test_no_healthy_endpoint() -> None:
    sick = registration("a-1", registered_port("a", health="UNHEALTHY"))
    starting = registration("b-1", registered_port("b", health="STARTING"), address="10.0.0.2")
    draining = registration("c-1", registered_port("c", health="DRAINING"), address="10.0.0.3")
    mesh = Mesh(sick, starting, draining)
    for name in "abc":
        assert mesh.get("client", f"http://{name}:9080/").status == 503


@pytest.mark.parametrize(
    ("tls", "kind"), [("DISABLE", "Plain"), ("ISTIO_MUTUAL", "Mutual"), ("SIMPLE", "ServerTls")]
)
def test_a_destination_rule_decides_tls_for_all_endpoints(tls: str, kind: str) -> None:
    mesh = Mesh(simple("reviews"))
    mesh.apply(f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: reviews}}
spec: {{host: reviews, trafficPolicy: {{tls: {{mode: {tls}}}}}}}
""")
    (found,) = mesh.get("client", "http://reviews:9080/").candidates
    assert type(found.transport).__name__ == kind


def test_the_client_offers_what_the_server_takes() -> None:
    """The way out of one sidecar and into the other, end to end."""
    mesh = Mesh(simple("reviews"))
    (found,) = mesh.get("client", "http://reviews:9080/").candidates
    assert isinstance(found.transport, Mutual)
    assert found.transport.alpn == MESH_HTTP1.protocols
    offered = Connection(transport="tls", protocols=found.transport.alpn)
    inside = mesh.get(found.workload, "http://reviews:9080/", via=Inbound(port=9080, carries=offered))
    assert [(each.address, each.port) for each in inside.candidates] == [("127.0.0.1", 9080)]
