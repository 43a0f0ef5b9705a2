"""What Sidecars and exportTo hide from a real proxy, and what a hidden host is answered.

A client `narrow` in the namespace `shop` beside the shared `caller` in `default`, which sees everything all the time.
"""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Issued
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until
from tests.mesh.tls_clients import eventually, refused

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
  workloadSelector: {matchLabels: {app: hidden}}
  trafficPolicy: {tls: {mode: DISABLE}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec:
  selector: {matchLabels: {app: echo}}
  mtls: {mode: STRICT}
"""
INGRESS = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: inbound}
spec:
  workloadSelector: {labels: {app: hidden}}
  %s
"""
OFF_MESH = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: off-mesh}
spec:
  selector: {matchLabels: {app: hidden}}
  mtls: {mode: DISABLE}
"""
THROUGH_HIDDEN = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: through, namespace: shop}
spec:
  workloadSelector: {labels: {role: narrow}}
  egress: [{hosts: [./*]}]
  outboundTrafficPolicy:
    mode: ALLOW_ANY
    egressProxy: {host: hidden.default.svc.cluster.local, port: {number: 8081}}
"""
OWN = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: shop}
spec:
  workloadSelector: {labels: {role: narrow}}
  egress:
  - port: {number: 8080, protocol: HTTP, name: http}
    bind: %(bind)s
    captureMode: NONE
    hosts: [default/echo.default.svc.cluster.local]
  - port: {number: 8081, protocol: TCP, name: tcp}
    bind: %(bind)s
    hosts: [default/hidden.default.svc.cluster.local]
  - hosts: [./*]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
"""
OTHERS = "---".join(
    f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: other-{number}}}
spec:
  hosts: [other-{number}.example.com]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 192.0.2.1}}]
"""
    for number in range(200)
)
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
    until(lambda: clusters(shop, "narrow", "shop") == before, "all clusters are back")
    assert status(shop, "shop/narrow", hidden) == 200


def test_a_sidecar_spares_its_envoy_the_memory_of_what_it_hides(shop: Mesh) -> None:
    def occupied(workload: str, namespace: str) -> int:
        """What its Envoy's allocations hold, bytes, as of its last flush of statistics."""
        return shop.stats(workload, "^server.memory_allocated", namespace)["server.memory_allocated"]

    with shop.applied(OTHERS):
        until(
            lambda: min(occupied("caller", "default"), occupied("narrow", "shop")) > 14e6,
            "room for all of them in both",
        )
        with shop.applied(NARROW):
            until(
                lambda: 2 * occupied("narrow", "shop") < occupied("caller", "default"), "half is not needed"
            )


def test_a_policy_for_some_workloads_is_theirs_alone(shop: Mesh) -> None:
    """Plaintext to a port that takes mutual TLS only: whoever has the policy is turned away."""
    with shop.applied(FOR_HIDDEN):
        assert status(shop, "hidden", "http://echo:8080/") == 503
        assert status(shop, "caller", "http://echo:8080/") == 200
        assert status(shop, "shop/narrow", "http://echo.default:8080/") == 200
    assert status(shop, "hidden", "http://echo:8080/") == 200


def test_a_listener_of_ones_own_leads_elsewhere(shop: Mesh) -> None:
    """To the program of `echo`, which tells its name."""
    (port,) = (each.app_port for each in shop.summary("echo").ports)

    def answers() -> str:
        return str(json.loads(shop.curl("caller", "http://hidden:8081/").stdout)["name"])

    assert answers().endswith("hidden")
    with shop.applied(
        INGRESS % f"ingress: [{{port: {{number: 8081}}, defaultEndpoint: '127.0.0.1:{port}'}}]"
    ):
        assert answers().endswith("echo")
        assert shop.logged("hidden", direction="inbound", status=200)
    with shop.applied(INGRESS % "ingress: [{port: {number: 8082}}]"):
        assert status(shop, "caller", "http://hidden:8081/") == 503, "a port without a listener is not served"
    assert answers().endswith("hidden")


def test_callers_outside_the_mesh_are_met_by_a_certificate(shop: Mesh, tmp_path: Path) -> None:
    root = Authority(tmp_path)
    server, client = root.issue("hidden.example.com"), root.issue("client.example.com")
    _, port = shop.inbound("hidden", 8081)
    listener = (
        "ingress: [{port: {number: 8081, protocol: HTTPS}, captureMode: NONE, tls: {mode: %s, serverCertificate: "
        f"{server.cert}, privateKey: {server.key}, caCertificates: {root.roots}"
        "}}]"
    )

    def call(with_client: Issued | None = None) -> str:
        return eventually(port, "hidden.example.com", root.roots, client=with_client, alpn=()).answer

    with shop.applied(INGRESS % listener % "MUTUAL"):
        assert status(shop, "caller", "http://hidden:8081/") == 200, "mutual TLS of the mesh comes first"
        with shop.applied(OFF_MESH):
            assert "hidden" in call(client)
            assert refused(port, "hidden.example.com", root.roots, alpn=())
            assert status(shop, "caller", "http://hidden:8081/") == 503, "plain text has no way in"
            shop.apply(INGRESS % listener % "SIMPLE")
            assert "hidden" in call()
    assert status(shop, "caller", "http://hidden:8081/") == 200


def test_more_than_a_program_takes_is_refused_by_its_own_sidecar(shop: Mesh) -> None:
    urls = ["http://hidden:8081/slow?s=0.4"] * 6
    words = ("-Z", "--parallel-immediate", "-w", "%{http_code}\\n", *(f"-o{os.devnull}" for _ in urls), *urls)
    pool = "inboundConnectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}"
    with shop.applied(INGRESS % pool):
        codes = shop.curl("caller", *words).stdout.split()
        assert "200" in codes
        assert "503" in codes
        assert shop.logged("hidden", direction="inbound", flags="UO")["status"] == 503
    assert set(shop.curl("caller", *words).stdout.split()) == {"200"}


def test_unknown_hosts_are_asked_of_the_egress_proxy(shop: Mesh) -> None:
    """`hidden` plays the proxy, and tells whom it was asked for."""
    with shop.applied(THROUGH_HIDDEN):
        for words in ((), ("--proxytunnel",)):
            asked = json.loads(shop.curl("shop/narrow", *words, "http://unknown.example.com/page").stdout)
            assert (asked["path"], asked["headers"]["host"]) == ("/page", "unknown.example.com")
            assert str(asked["name"]).endswith("hidden")


def dialled(mesh: Mesh, place: str, host: str = "nobody") -> tuple[int, str]:
    """What `narrow` is answered at an address without its proxy variables: status (0: nobody listens) and who."""
    words = ("--noproxy", "*", "-w", "%{stderr}%{http_code}", "-H", f"host: {host}", f"http://{place}/")
    done = mesh.curl("shop/narrow", *words)
    number = int(done.stderr.split()[-1][-3:])
    return number, str(json.loads(done.stdout)["name"]) if number == 200 else ""


def test_listeners_of_a_sidecars_own_lead_to_their_hosts_alone(shop: Mesh) -> None:
    place = f"127.77.{os.getpid() % 250}.1"
    echo, hidden = "http://echo.default:8080/", "http://hidden.default:8081/"
    with shop.applied(OWN % {"bind": place}):
        code, name = dialled(shop, f"{place}:8080", "echo.default")
        assert (code, name.endswith("echo")) == (200, True)
        assert dialled(shop, f"{place}:8080", "hidden.default:8081")[0] == 502, "not imported there"
        code, name = dialled(shop, f"{place}:8081")
        assert (code, name.endswith("hidden")) == (200, True), "the one service of that port"
        assert status(shop, "shop/narrow", echo) == 502, "NONE: for who dials it alone"
        assert status(shop, "shop/narrow", hidden) == 200, "proxy variables lead to that list, too"
    until(lambda: dialled(shop, f"{place}:8080")[0] == 0, "the listener is closed")
    assert status(shop, "shop/narrow", echo) == 200


def test_a_place_that_somebody_has_is_told_and_the_rest_goes_on(shop: Mesh) -> None:
    place = f"127.78.{os.getpid() % 250}.1"
    with socket.create_server((place, 8080)) as taken, shop.applied(OWN % {"bind": place}):
        assert dialled(shop, f"{place}:8081")[0] == 200
        assert f"listener {place}:8080" in shop.summary("shop/narrow").remark
        told = shop.proa("proxy", "status")
        assert f"listener {place}:8080" in told.stdout + told.stderr
        taken.close()
    until(lambda: shop.summary("shop/narrow").remark == "", "nothing is wanted that cannot be had")


def test_what_is_exported_to_one_namespace_holds_there(shop: Mesh) -> None:
    others = clusters(shop, "caller", "default")
    with shop.applied(EXPORTED):
        assert status(shop, "shop/narrow", "http://hidden.default:8081/") == 418
        assert status(shop, "caller", "http://hidden:8081/") == 200
        assert clusters(shop, "caller", "default") == others, "nobody sees the ServiceEntry"
