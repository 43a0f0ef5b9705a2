"""Who is let in through a gateway, under which names."""

import pytest

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate import HTTP1, RAW, Connection, Gateway, Outcome, Plain
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, registration, simple

INGRESS = "istio-system/ingress"
REVIEWS = "outbound|9080||reviews.default.svc.cluster.local"


def edge(*ports: int) -> Mesh:
    bound = tuple(GatewayPort(server_port=port, bound_port=port + 31000) for port in ports or (80,))
    labels = {"istio": "ingressgateway"}
    ingress = registration(INGRESS, kind="gateway", labels=labels, gateway_ports=bound)
    return Mesh(ingress, simple("reviews"))


def gateway(name: str, *hosts: str, tls: str = "", namespace: str = "default") -> str:
    listed = ", ".join(f"'{host}'" for host in hosts)
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: [{listed}] {tls}}}]
"""


def rules(host: str, *gateways: str, name: str = "web", namespace: str = "default", http: str = "") -> str:
    http = (
        http or "[{route: [{destination: {host: reviews.default.svc.cluster.local, port: {number: 9080}}}]}]"
    )
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{hosts: ['{host}'], gateways: [{", ".join(gateways)}], http: {http}}}
"""


LINES = "outbound|9000||lines.default.svc.cluster.local"


def tls(name: str) -> Connection:
    return Connection(transport="tls", protocols=("http/1.1",), sni=name)


def serving(*servers: str, name: str = "edge", namespace: str = "default") -> str:
    listed = "".join(f"\n  - {server}" for server in servers)
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{istio: ingressgateway}}
  servers:{listed}
"""


def server(
    protocol: str, mode: str = "", *hosts: str, number: int = 443, name: str = "a", more: str = ""
) -> str:
    listed = ", ".join(f"'{host}'" for host in hosts or ("*",))
    settings = f", tls: {{mode: {mode}{', credentialName: x' if mode == 'SIMPLE' else ''}}}" if mode else ""
    return f"{{port: {{number: {number}, name: {name}, protocol: {protocol}}}, hosts: [{listed}]{settings}{more}}}"


def streams(kind: str, *blocks: str, hosts: str = "*", name: str = "web", gateways: str = "edge") -> str:
    listed = "".join(f"\n  - {block}" for block in blocks)
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: ['{hosts}']
  gateways: [{gateways}]
  {kind}:{listed}
"""


def to(match: str = "", *targets: str) -> str:
    listed = ", ".join(f"{{destination: {{host: {each}}}, weight: 1}}" for each in targets or ("lines",))
    return f"{{{match}{', ' if match else ''}route: [{listed}]}}"


def codes(mesh: Mesh) -> list[str]:
    return sorted(note.code for note in mesh.world.notes())


def connect(
    mesh: Mesh, connection: Connection, port: int = 443, host: str = "a", bind: str = "0.0.0.0"
) -> Outcome:
    return mesh.get(INGRESS, f"https://{host}/", via=Gateway(port=port, carries=connection, bind=bind))


def test_tls_ends_by_name_and_is_routed_by_its_servers_rules() -> None:
    mesh = edge(443)
    mesh.apply(
        serving(server("HTTPS", "SIMPLE", "a.example"), server("HTTPS", "SIMPLE", "*.b.example", name="b"))
    )
    mesh.apply(rules("*", "edge"))
    for name in ("a.example", "x.b.example"):
        assert connect(mesh, tls(name), host=name).cluster == REVIEWS
    assert "takes no tls connection for c.example" in connect(mesh, tls("c.example")).why[0]
    # A name that came in by another server's certificate is not served there.
    assert connect(mesh, tls("a.example"), host="x.b.example").status == 404


def test_alike_servers_of_several_gateways_share_a_name_and_others_are_told() -> None:
    mesh = edge(443)
    mesh.apply(serving(server("HTTPS", "SIMPLE", "a.example")))
    mesh.apply(serving(server("HTTPS", "SIMPLE", "a.example"), name="twin"))
    mesh.apply(rules("a.example", "twin"))
    assert connect(mesh, tls("a.example"), host="a.example").cluster == REVIEWS
    assert codes(mesh) == []
    mesh.apply(serving(server("HTTPS", "ISTIO_MUTUAL", "a.example", "b.example"), name="zother"))
    assert codes(mesh) == ["gateway-host-conflict"]
    assert connect(mesh, tls("b.example"), host="b.example").status == 404


def test_the_first_server_says_what_a_port_speaks() -> None:
    mesh = edge(443)
    mesh.apply(serving(server("HTTP"), name="a"))
    mesh.apply(serving(server("TCP"), name="b"))
    mesh.apply(serving(server("TCP", more=", bind: 127.0.0.1"), name="c"))
    mesh.apply(rules("*", "a", "b"))
    assert connect(mesh, HTTP1).cluster == REVIEWS
    assert codes(mesh) == ["gateway-port-conflict"]


def test_addresses_of_one_port_do_not_meet() -> None:
    mesh = edge(443)
    mesh.place(simple("lines", number=9000, protocol="TCP", address="10.0.0.2"))
    mesh.apply(serving(server("HTTP"), server("TCP", name="b", more=", bind: 127.0.0.1")))
    mesh.apply(rules("*", "edge"))
    mesh.apply(streams("tcp", to(), name="lines"))
    assert connect(mesh, HTTP1).cluster == REVIEWS
    assert connect(mesh, RAW, bind="127.0.0.1").cluster == LINES
    assert codes(mesh) == []


def test_streams_by_network_and_weight() -> None:
    mesh = edge(443)
    mesh.place(simple("lines", number=9000, protocol="TCP", address="10.0.0.2"))
    mesh.apply(serving(server("TCP")))
    blocks = (
        to("match: [{port: 1}]", "reviews"),
        to("match: [{destinationSubnets: [10.0.0.0/8]}]", "reviews"),
        to("match: [{destinationSubnets: [10.1.2.3/8]}]", "lines"),
        to("", "lines", "reviews"),
        to("", "reviews"),
    )
    mesh.apply(streams("tcp", *blocks))
    assert connect(mesh, Connection(address="10.9.9.9")).cluster == REVIEWS
    assert connect(mesh, Connection(address="192.0.2.1")).cluster == LINES
    other = mesh.get(INGRESS, "https://a/", via=Gateway(port=443, carries=RAW), roll=0.7)
    assert other.cluster == REVIEWS
    assert codes(mesh) == []


def test_two_rules_for_one_stream_are_told_apart_by_their_names() -> None:
    mesh = edge(443)
    mesh.apply(serving(server("TCP")))
    mesh.apply(
        streams("tcp", to("", "reviews"), name="a") + "---" + streams("tcp", to("", "lines"), name="b")
    )
    assert connect(mesh, RAW).cluster == REVIEWS
    assert codes(mesh) == ["destination-missing", "gateway-route-conflict"]


def test_unopened_tls_goes_where_its_name_says() -> None:
    mesh = edge(443)
    mesh.place(simple("lines", number=9000, protocol="TLS", address="10.0.0.2"))
    mesh.apply(
        serving(
            server("TLS", "PASSTHROUGH", "*.example"), server("HTTPS", "SIMPLE", "ended.example", name="b")
        )
    )
    blocks = (
        to("match: [{sniHosts: [a.example, ended.example]}]", "lines"),
        to("match: [{sniHosts: ['*.example']}]", "reviews"),
        to("match: [{sniHosts: [outside.org]}]", "lines"),
    )
    mesh.apply(streams("tls", *blocks))
    mesh.apply(rules("ended.example", "edge", name="ended"))
    assert connect(mesh, tls("a.example")).cluster == LINES
    assert connect(mesh, tls("b.example")).cluster == REVIEWS
    assert connect(mesh, tls("ended.example"), host="ended.example").route is not None
    assert not connect(mesh, tls("outside.org")).cluster
    assert codes(mesh) == ["gateway-route-conflict"]


def test_tls_that_ends_may_carry_streams() -> None:
    mesh = edge(443)
    mesh.place(simple("lines", number=9000, protocol="TCP", address="10.0.0.2"))
    mesh.apply(serving(server("TLS", "SIMPLE", "a.example")))
    mesh.apply(streams("tcp", to(), hosts="a.example"))
    assert connect(mesh, tls("a.example")).cluster == LINES
    assert not connect(mesh, tls("b.example")).cluster


def test_mesh_tls_passes_to_the_services_it_names() -> None:
    mesh = edge(443)
    mesh.apply(serving(server("TLS", "AUTO_PASSTHROUGH", "*.local")))
    name = "outbound_.9080_._.reviews.default.svc.cluster.local"
    outcome = connect(mesh, tls(name))
    assert outcome.cluster == name
    assert [each.transport for each in outcome.candidates] == [Plain()]
    mesh.displace("reviews-v1")
    assert not connect(mesh, tls(name)).cluster


def test_a_port_of_streams_without_a_rule_is_closed() -> None:
    mesh = edge(443)
    mesh.apply(serving(server("TCP")))
    assert "there is no listener 0.0.0.0_443" in connect(mesh, RAW).why[0]


def ask(mesh: Mesh, authority: str, path: str = "/") -> Outcome:
    return mesh.get(INGRESS, f"http://{authority}{path}", via=Gateway(port=80))


@pytest.mark.parametrize("authority", ["anything", "reviews.example.com:31080"])
def test_everybody_is_let_in_to_the_paths_a_rule_names(authority: str) -> None:
    mesh = edge()
    mesh.apply(gateway("edge", "*"))
    mesh.apply(
        rules("*", "edge", http="[{match: [{uri: {exact: /ok}}], route: [{destination: {host: reviews}}]}]")
    )
    assert ask(mesh, authority, "/ok").cluster == REVIEWS
    assert ask(mesh, authority, "/else").status == 404


@pytest.mark.parametrize(
    ("server", "rule", "authority", "is_let_in"),
    [
        ("*", "a.example.com", "a.example.com", True),
        ("*", "a.example.com", "b.example.com", False),
        ("*.example.com", "a.example.com", "a.example.com:31080", True),
        ("a.example.com", "*.example.com", "a.example.com", True),
        ("a.example.com", "*.example.com", "b.example.com", False),
        ("*.example.com", "*.example.com", "b.example.com", True),
        ("*.example.com", "*.example.com", "b.example.com:80", True),
        ("*.example.com", "*.example.com", "b.example.com:31080", True),
        ("a.example.com", "b.example.com", "b.example.com", False),
        ("default/*", "a.example.com", "a.example.com", True),
        ("./*", "a.example.com", "a.example.com", True),
        ("shop/*", "a.example.com", "a.example.com", False),
        ("A.example.com", "a.Example.com", "A.EXAMPLE.com", True),
    ],
)
def test_the_names_a_server_and_a_rule_share(server: str, rule: str, authority: str, is_let_in: bool) -> None:
    mesh = edge()
    mesh.apply(gateway("edge", server))
    mesh.apply(rules(rule, "edge"))
    assert (ask(mesh, authority).cluster == REVIEWS) == is_let_in


def test_a_rule_comes_in_by_its_own_gateways_servers_only() -> None:
    mesh = edge()
    mesh.apply(gateway("narrow", "a.example.com"))
    mesh.apply(gateway("wide", "*", namespace="shop"))
    mesh.apply(rules("b.example.com", "narrow"))
    assert ask(mesh, "b.example.com").status == 404


def test_rules_of_one_host_stand_in_the_order_of_their_names() -> None:
    mesh = edge()
    mesh.apply(gateway("edge", "*"))
    mesh.apply(rules("a.example.com", "edge", name="b", http="[{directResponse: {status: 202}}]"))
    mesh.apply(
        rules(
            "a.example.com", "edge", name="a", http="[{match: [{port: 80}], directResponse: {status: 201}}]"
        )
    )
    assert ask(mesh, "a.example.com").status == 201


def test_a_server_that_sends_everybody_to_https() -> None:
    mesh = edge()
    mesh.apply(gateway("edge", "*.example.com", tls=", tls: {httpsRedirect: true}"))
    mesh.apply(rules("a.example.com", "edge"))
    for name in ("a.example.com", "b.example.com"):
        end = ask(mesh, name).end
        assert getattr(end, "location", None) == f"https://{name}/"


def test_a_port_that_is_not_bound_yet_has_no_listener() -> None:
    mesh = edge(8080)
    mesh.apply(gateway("edge", "*"))
    assert "there is no listener 0.0.0.0_80" in ask(mesh, "a").why[0]


def test_a_gateway_with_other_labels_is_not_selected() -> None:
    mesh = Mesh(
        registration(INGRESS, kind="gateway", gateway_ports=(GatewayPort(server_port=80, bound_port=80),))
    )
    mesh.apply(gateway("edge", "*"))
    kinds = {kind for kind, _ in mesh.source(INGRESS).own.resources}
    assert kinds == {ResourceType.EXTENSION}, "who is revoked is told to everybody"


def test_a_rule_without_its_service_heals_when_the_service_comes() -> None:
    mesh = edge()
    mesh.displace("reviews-v1")
    mesh.apply(gateway("edge", "*"))
    mesh.apply(rules("*", "edge"))
    assert ask(mesh, "a").cluster == "BlackHoleCluster"
    assert [note.code for note in mesh.world.notes()] == ["destination-missing"]
    mesh.place(simple("reviews"))
    assert ask(mesh, "a").cluster == REVIEWS
