"""Names and namespaces of a gateway's servers; how servers share ports is tested beside `gateway`."""

import pytest

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.translate.gateway_plan import covers, dns_name, owner_admits
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, registration


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ("*", "a.example", True),
        ("*", "*.example", True),
        ("*.example", "a.example", True),
        ("*.example", "*.a.example", True),
        ("*.example", "example", False),
        ("*.example", ".example", False),
        ("*-a.example", "x-a.example", True),
        ("a.example", "a.example", True),
        ("a.example", "*.example", False),
    ],
)
def test_covering(wide: str, narrow: str, is_covered: bool) -> None:
    assert covers(wide, narrow) is is_covered


def test_who_may_use_a_host() -> None:
    assert dns_name("shop/A.example") == "a.example"
    assert owner_admits("*", "shop", "default")
    assert owner_admits("shop", "shop", "default")
    assert owner_admits(".", "default", "default")
    assert not owner_admits(".", "shop", "default")


def test_servers_of_one_place_share_a_listener_however_they_spell_it() -> None:
    """Envoy refuses a second listener at an address; a gateway on loopback has 127.0.0.1 without being told."""
    labels = {"istio": "ingressgateway"}
    ports = (GatewayPort(server_port=80, bound_port=31080),)
    edge = registration("edge", kind="gateway", address="127.0.0.1", labels=labels, gateway_ports=ports)
    mesh = Mesh(edge)
    for number, bind in enumerate(("", "127.0.0.1", "127.0.0.2", "::1", "0:0:0:0:0:0:0:1")):
        mesh.apply(f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: g{number}}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ["{number}.example"], bind: "{bind}"}}]
""")
    listeners = sorted(mesh.source("edge").names(ResourceType.LISTENER))
    assert listeners == ["0.0.0.0_80", "127.0.0.2_80", "::1_80"]
