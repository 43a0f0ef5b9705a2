"""Which way a workload's calls go: by name, by port, by protocol, to the mesh and out of it."""

import pytest

from proa.core.model.settings import MeshSettings
from proa.core.pilot.resource import ResourceType
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
from proa.core.pilot.simulate import Upstream as SimulatedUpstream
from proa.core.sidecar.session import Registration, Upstream
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


LINES = "outbound|9000|{}|lines.default.svc.cluster.local"


def streams(kind: str, *blocks: str, hosts: str = "lines", name: str = "lines") -> str:
    listed = "".join(f"\n  - {block}" for block in blocks)
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: ['{hosts}']
  {kind}:{listed}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: lines}}
spec: {{host: lines, subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]}}
"""


def to(match: str = "", *subsets: str) -> str:
    listed = ", ".join(f"{{destination: {{host: lines, subset: {each}}}, weight: 1}}" for each in subsets)
    return f"{{{match}{', ' if match else ''}route: [{listed}]}}"


def mesh_of_lines(protocol: str, *more: Registration) -> Mesh:
    versions = [
        simple("lines", version, number=9000, protocol=protocol, address=f"10.0.0.{number}")
        for number, version in enumerate(("v1", "v2"), start=1)
    ]
    return Mesh(*versions, *more)


def dial(
    mesh: Mesh,
    authority: str = "lines:9000",
    *,
    client: str = "client",
    roll: float = 0.0,
    carries: Connection = RAW,
) -> str:
    via = Connect(authority=authority, carries=carries)
    return mesh.get(client, f"http://{authority}/", via=via, roll=roll).cluster


@pytest.mark.parametrize("protocol", ["TCP", "TLS", "AUTO"])
def test_tcp_rules_send_streams_by_weight(protocol: str) -> None:
    mesh = mesh_of_lines(protocol)
    assert dial(mesh) == LINES.format("")
    mesh.apply(streams("tcp", to("match: [{port: 1}]", "v1"), to("", "v1", "v2"), to("", "v1")))
    assert [dial(mesh, roll=roll) for roll in (0.1, 0.49, 0.5, 0.9)] == [
        LINES.format(subset) for subset in ("v1", "v1", "v2", "v2")
    ]
    outcome = mesh.get("client", "http://lines:9000/", via=Connect(authority="lines:9000", carries=RAW))
    assert "from VirtualService/default/lines tcp[1]" in outcome.why[0]


def test_declared_requests_are_not_streams() -> None:
    mesh = mesh_of_lines("HTTP")
    mesh.apply(streams("tcp", to("", "v1")))
    assert dial(mesh, carries=HTTP1) == dial(mesh) == LINES.format("")


def test_requests_on_an_undeclared_port_follow_their_own_rules() -> None:
    mesh = mesh_of_lines("AUTO")
    mesh.apply(streams("tcp", to("", "v1")))
    assert dial(mesh, carries=HTTP1) == LINES.format("")
    assert dial(mesh) == LINES.format("v1")


def test_tls_rules_go_by_the_name_that_is_asked_for() -> None:
    mesh = mesh_of_lines("TCP")
    outside = "hosts: ['*.example.com'], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE"
    mesh.apply(entry(outside))
    blocks = (
        to("match: [{port: 443, sniHosts: [A.example.com]}]", "v1"),
        to("match: [{sniHosts: ['*.b.example.com']}]", "v2"),
        to("match: [{port: 9, sniHosts: ['*.example.com']}]", "v2"),
    )
    mesh.apply(streams("tls", *blocks, hosts="*.example.com"))
    assert dial(mesh, "a.example.com:443", carries=OWN_TLS) == LINES.format("v1")
    assert dial(mesh, "x.B.example.com:443", carries=OWN_TLS) == LINES.format("v2")
    assert dial(mesh, "c.example.com:443", carries=OWN_TLS) == PASSTHROUGH
    mesh.delete("VirtualService", "lines")
    assert dial(mesh, "a.example.com:443", carries=OWN_TLS) == PASSTHROUGH


def test_streams_are_told_apart_by_who_asks_and_which_network_is_dialled() -> None:
    entry_of = (
        "hosts: [far.example], addresses: [10.7.0.0/16], ports: [{number: 9, name: tcp, protocol: TCP}]"
    )
    mesh = mesh_of_lines("TCP", registration("worker", labels={"app": "worker"}))
    mesh.apply(entry(f"{entry_of}, resolution: STATIC, endpoints: [{{address: 10.7.1.1}}]"))
    blocks = (
        to("match: [{sourceLabels: {app: worker}, port: 9}, {sourceNamespace: shop}]", "v1"),
        to("match: [{destinationSubnets: [10.8.0.0/16]}]", "v1"),
        to("match: [{destinationSubnets: [10.0.0.0/8, '::/0']}]", "v2"),
    )
    rule = streams("tcp", *blocks, hosts="far.example", name="far")
    mesh.apply(rule)
    assert dial(mesh, "far.example:9", client="worker") == LINES.format("v1")
    assert dial(mesh, "far.example:9", client="shop/client") == LINES.format("v1")
    assert dial(mesh, "far.example:9") == LINES.format("v2")


def test_a_local_port_follows_the_rules_of_its_service() -> None:
    at_home = registration("caller", upstreams=(Upstream(host="lines", port=9000, local_port=20001),))
    mesh = mesh_of_lines("TCP", at_home)

    def dialled(roll: float = 0.0) -> str:
        return mesh.get("caller", "http://x/", via=SimulatedUpstream(local_port=20001), roll=roll).cluster

    assert dialled() == LINES.format("")
    mesh.apply(streams("tcp", to("", "v1", "v2")))
    assert {dialled(0.1), dialled(0.9)} == {LINES.format("v1"), LINES.format("v2")}
    source = mesh.source("caller")
    found = source.lookup(ResourceType.LISTENER, "127.0.0.1_20001")
    assert found is not None
    assert [str(ref) for ref in found.objects] == ["VirtualService/default/lines"]
    mesh.delete("VirtualService", "lines")
    assert dialled() == LINES.format("")


def test_a_local_port_follows_its_workload_to_another_scope() -> None:
    at_home = registration("caller", upstreams=(Upstream(host="lines", port=9000, local_port=20001),))
    mesh = mesh_of_lines("TCP", at_home)
    away = streams("tcp", to("", "v1")).replace("name: lines}", "name: lines, namespace: shop}")
    rule = away.split("---")[0].replace("['lines']", "[lines.default.svc.cluster.local]")
    mesh.apply(
        rule.replace("host: lines", "host: lines.default.svc.cluster.local")
        + "---"
        + streams("tcp").split("---")[1]
    )
    way = SimulatedUpstream(local_port=20001)
    assert mesh.get("caller", "http://x/", via=way).cluster == LINES.format("v1")
    sidecar = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own}
spec: {egress: [{hosts: [./*]}]}
"""
    mesh.apply(sidecar)
    assert mesh.get("caller", "http://x/", via=way).cluster == LINES.format("")


def test_a_rule_for_streams_of_nobody_is_told() -> None:
    mesh = mesh_of_lines("TCP")
    mesh.source("client")
    mesh.apply(streams("tcp", to("", "v1"), hosts="nobody.example", name="nobody"))
    assert [note.code for note in mesh.world.notes()] == ["host-missing"]
    assert mesh.get("client", "http://nobody.example/").cluster == PASSTHROUGH


def test_of_two_words_on_how_a_host_is_found_names_do_not_reach_proxies_as_addresses() -> None:
    """The first entry says STATIC; an Envoy refuses the whole endpoint set for one name in it."""
    mesh = Mesh()
    ports = "ports: [{number: 80, name: http, protocol: HTTP}]"
    mesh.apply(
        entry(f"hosts: [x.example], {ports}, resolution: STATIC, endpoints: [{{address: 192.0.2.1}}]", "a")
    )
    mesh.apply(
        entry(f"hosts: [x.example], {ports}, resolution: DNS, endpoints: [{{address: y.example}}]", "b")
    )
    (name,) = [each for each in mesh.source("client").names(ResourceType.CLUSTER) if "x.example" in each]
    found = mesh.source("client").lookup(ResourceType.ENDPOINT, name)
    assert found is not None
    assert b"192.0.2.1" in found.body
    assert b"y.example" not in found.body
