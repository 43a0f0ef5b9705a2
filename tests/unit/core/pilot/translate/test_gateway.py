"""Who is let in through a gateway, under which names."""

import pytest

from proa.core.pilot.simulate import Gateway, Outcome
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
    assert not mesh.source(INGRESS).own.resources


def test_a_rule_without_its_service_heals_when_the_service_comes() -> None:
    mesh = edge()
    mesh.displace("reviews-v1")
    mesh.apply(gateway("edge", "*"))
    mesh.apply(rules("*", "edge"))
    assert ask(mesh, "a").cluster == "BlackHoleCluster"
    assert [note.code for note in mesh.world.notes()] == ["destination-missing"]
    mesh.place(simple("reviews"))
    assert ask(mesh, "a").cluster == REVIEWS
