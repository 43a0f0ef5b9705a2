"""What Sidecars and exportTo hide from a real proxy, and what a hidden host is answered.

A client `narrow` in the namespace `shop` beside the shared `caller` in `default`, which sees everything all the time.
"""

from collections.abc import Iterator

import pytest

from tests.mesh.harness import FOREVER, Mesh, app, curl_status

pytestmark = pytest.mark.mesh

NARROW = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow, namespace: shop}
spec:
  workloadSelector: {labels: {role: narrow}}
  egress: [{hosts: [./*, default/echo.default.svc.cluster.local]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
"""
FOR_HIDDEN = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: for-hidden}
spec:
  host: echo
  workloadSelector: {labels: {app: hidden}}
  trafficPolicy: {tls: {mode: DISABLE}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec:
  selector: {matchLabels: {app: echo}}
  mtls: {mode: STRICT}
"""
EXPORTED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: hidden}
spec:
  hosts: [hidden]
  exportTo: [shop]
  http: [{directResponse: {status: 418}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: nobodys}
spec:
  hosts: [hidden.example.com]
  exportTo: ["~"]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 192.0.2.1}]
"""


@pytest.fixture(scope="module")
def shop(shared_mesh: Mesh) -> Iterator[Mesh]:
    with (
        shared_mesh.running("hidden", app("echo"), port="8081:auto/http"),
        shared_mesh.running("narrow", FOREVER, "--label=role=narrow", namespace="shop"),
    ):
        yield shared_mesh


def status(mesh: Mesh, workload: str, url: str) -> int:
    return curl_status(mesh.curl(workload, "-i", "-o", "/dev/null", "-D", "-", url))


def clusters(mesh: Mesh, workload: str, namespace: str) -> int:
    return mesh.stats(workload, "^cluster_manager.active_clusters", namespace)[
        "cluster_manager.active_clusters"
    ]


def test_a_sidecar_hides_hosts_and_their_clusters(shop: Mesh) -> None:
    hidden, echo = "http://hidden.default:8081/", "http://echo.default:8080/"
    assert status(shop, "shop/narrow", hidden) == 200
    before = clusters(shop, "narrow", "shop")
    others = clusters(shop, "caller", "default")
    with shop.applied(NARROW):
        assert clusters(shop, "narrow", "shop") < before
        assert clusters(shop, "caller", "default") == others
        assert status(shop, "shop/narrow", hidden) == 502
        assert status(shop, "shop/narrow", "http://unknown.example.com/") == 502
        assert status(shop, "shop/narrow", echo) == 200
        assert status(shop, "caller", hidden) == 200
    assert clusters(shop, "narrow", "shop") == before
    assert status(shop, "shop/narrow", hidden) == 200


def test_a_policy_for_some_workloads_is_theirs_alone(shop: Mesh) -> None:
    """Plaintext to a port that takes mutual TLS only: whoever has the policy is turned away."""
    with shop.applied(FOR_HIDDEN):
        assert status(shop, "hidden", "http://echo:8080/") == 503
        assert status(shop, "caller", "http://echo:8080/") == 200
        assert status(shop, "shop/narrow", "http://echo.default:8080/") == 200
    assert status(shop, "hidden", "http://echo:8080/") == 200


def test_what_is_exported_to_one_namespace_holds_there(shop: Mesh) -> None:
    others = clusters(shop, "caller", "default")
    with shop.applied(EXPORTED):
        assert status(shop, "shop/narrow", "http://hidden.default:8081/") == 418
        assert status(shop, "caller", "http://hidden:8081/") == 200
        assert clusters(shop, "caller", "default") == others, "nobody sees the ServiceEntry"
