"""A partner's trust domain, accepted in one namespace: who gets in there, who does not elsewhere, and what becomes of
it when the partner's roots change or its object goes.

The partner is an authority made here, whose clients and servers are this test's own; `echo` and `caller` are in a
namespace that accepts nobody, `store` in the one that does.
"""

import contextlib
import http.server
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from proa.core.auth.trust_bundle import write_document
from tests.certificates import Authority, Issued
from tests.federation import PARTNER, federated
from tests.mesh.harness import Mesh, app, until
from tests.mesh.test_attacks import said_on

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(240)]

BUYER = f"spiffe://{PARTNER}/ns/default/sa/buyer"
"""Of a namespace that is called as one of ours, and is none."""
TILL = f"spiffe://{PARTNER}/tills/7"
"""As SPIRE has ids: of no shape in particular."""
OURS = "spiffe://cluster.local/ns/default/sa/caller"
ENDPOINT = f"spiffe://{PARTNER}/server"
STREAM = 7000
GET = "GET /{} HTTP/1.1\r\nhost: store.shop:8080\r\n\r\n"


@contextlib.contextmanager
def dialled(mesh: Mesh, workload: str, shown: Issued, port: int = 8080) -> Iterator[ssl.SSLSocket]:
    """A connection as another mesh's sidecar makes it, for requests or for a raw stream."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(shown.cert, shown.key)
    context.set_alpn_protocols(["istio" if port == STREAM else "istio-http/1.1"])
    plain = socket.create_connection(mesh.inbound(workload, port), timeout=20)
    with plain, context.wrap_socket(plain, server_hostname="x") as connection:
        yield connection


def status(mesh: Mesh, workload: str, shown: Issued, path: str = "x", port: int = 8080) -> int:
    """Of one request on its own connection; 0 when it is refused in the handshake, or hung up on."""
    try:
        with dialled(mesh, workload, shown, port) as connection:
            return said_on(connection, GET.format(path))[0]
    except (ssl.SSLError, ConnectionError, IndexError):
        return 0


def called(mesh: Mesh, workload: str, url: str) -> int:
    """The status that a workload's program gets."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": mesh.proxy(workload)}))
    try:
        with opener.open(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def policy(source: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: buyers, namespace: shop}}
spec: {{rules: [{{from: [{{source: {source}}}]}}]}}
"""


class Partner(http.server.ThreadingHTTPServer):
    """An HTTPS server of the partner's, that says `body` to everybody; with `clients` only to whom these roots know."""

    def __init__(self, shown: Issued, body: bytes, clients: str = "") -> None:
        self.body = body
        self._clients = clients
        self.show(shown)
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def show(self, shown: Issued) -> None:
        """From the next connection on. No session of before is resumed: each client looks at it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.cert, shown.key)
        if self._clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self._clients)
        self._context = context

    def get_request(self) -> tuple[socket.socket, object]:
        plain, client = self.socket.accept()
        return self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), client

    def handle_error(self, request: object, client_address: object) -> None:
        """Handshakes that clients give up are part of the test."""

    def __enter__(self) -> "Partner":
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class Answer(http.server.BaseHTTPRequestHandler):
    server: Partner

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.server.body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def scene(mesh: Mesh) -> Iterator[Mesh]:
    """`store` serves requests, and the same as a raw stream at another port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    ports = (f"8080:{free}/http", f"{STREAM}:{free}/tcp")
    with mesh.running("store", app("echo"), port=ports, namespace="shop"):
        yield mesh


def details(mesh: Mesh, path: str) -> str:
    return str(mesh.logged("store", "shop", path=f"/{path}").get("details"))


def published(*roots: Authority) -> bytes:
    return write_document("".join(each.roots.read_text() for each in roots), 1, 1)


def followed(root: Authority, endpoint: Partner) -> str:
    """Its object, with a bundle endpoint whose server is known by its SPIFFE id."""
    more = f"""
  bundleEndpointURL: https://127.0.0.1:{endpoint.port}/bundle
  bundleEndpointProfile: {{type: https_spiffe, endpointSPIFFEID: "{ENDPOINT}"}}"""
    return federated(root.roots.read_text(), "shop", more=more)


def test_a_partner_gets_in_where_it_is_accepted_and_named(scene: Mesh, tmp_path: Path) -> None:
    mesh = scene
    root, later = (Authority(tmp_path, name, PARTNER) for name in ("partner", "later"))
    buyer, till, forged = root.issue(BUYER), root.issue(TILL), root.issue(OURS)
    several = root.issue(BUYER, OURS, file="several")
    named_as_ours = root.issue(BUYER, "caller.default.workload.cluster.local", file="named")
    assert (status(mesh, "store", buyer), status(mesh, "echo", buyer)) == (0, 0)

    with Partner(root.issue(ENDPOINT), published(root)) as endpoint, contextlib.ExitStack() as stack:
        with mesh.applied(followed(root, endpoint)):
            until(lambda: status(mesh, "store", buyer, "unnamed") == 403, "the partner's handshake is taken")
            assert "federation" in details(mesh, "unnamed")
            assert status(mesh, "store", buyer, port=STREAM) == 0
            assert called(mesh, "caller", "http://store.shop:8080/ours") == 200
            assert status(mesh, "echo", buyer) == 0, "no other namespace believes it"
            assert status(mesh, "store", forged) == 0, "it cannot make our ids"
            assert status(mesh, "store", several, "several") == 403
            assert "trust-domain" in details(mesh, "several")
            with mesh.applied(policy('{namespaces: [default], principals: ["*"]}')):
                assert status(mesh, "store", buyer) == 403, "its namespaces are not ours"

            stack.enter_context(mesh.applied(policy(f"{{trustDomains: [{PARTNER}]}}")))
            assert {status(mesh, "store", each) for each in (buyer, till, named_as_ours)} == {200}
            assert status(mesh, "store", buyer, port=STREAM) == 200
            assert {status(mesh, "store", several), status(mesh, "store", several, port=STREAM)} == {403, 0}
            assert called(mesh, "caller", "http://store.shop:8080/ours") == 403

            younger = later.issue(BUYER)
            assert status(mesh, "store", younger) == 0
            endpoint.body = published(root, later)
            until(lambda: status(mesh, "store", younger) == 200, "the partner's next root is followed")
            assert status(mesh, "store", buyer) == 200
            endpoint.body = published(later)
            until(lambda: status(mesh, "store", buyer) == 0, "and the one before is believed no more")
            held = stack.enter_context(dialled(mesh, "store", younger))
            assert said_on(held, GET.format("held"))[0] == 200
            shown = mesh.proa("certificate", "list", check=True).stdout
            assert PARTNER in shown
        assert said_on(held, GET.format("after"))[0] == 403, "a connection that was open is not let on"
        assert "trust-domain" in details(mesh, "after")
        until(lambda: status(mesh, "store", younger) == 0, "no new connection is taken")
        assert status(mesh, "store", younger, port=STREAM) == 0


def till_entry(port: int) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: till}}
spec:
  hosts: [till.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{{number: 8443, name: http, protocol: HTTP, targetPort: {port}}}]
  endpoints: [{{address: 127.0.0.1}}]
  subjectAltNames: ["{TILL}"]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: till}}
spec: {{host: till.example, trafficPolicy: {{tls: {{mode: ISTIO_MUTUAL}}}}}}
"""


def test_clients_call_a_partners_service_by_its_own_roots(scene: Mesh, tmp_path: Path) -> None:
    mesh, root = scene, Authority(tmp_path, "partner", PARTNER)
    ours = mesh.proa("certificate", "bundle", check=True).stdout

    def asked(workload: str) -> int:
        return called(mesh, workload, "http://till.example:8443/")

    with Partner(root.issue(TILL), b"till", ours) as server, mesh.applied(till_entry(server.port)):
        assert asked("shop/store") == 503
        with mesh.applied(federated(root.roots.read_text(), "shop")):
            until(lambda: asked("shop/store") == 200, "the partner's server is believed")
            assert asked("caller") == 503, "no other namespace believes it"
            server.show(root.issue(f"spiffe://{PARTNER}/tills/8"))
            assert asked("shop/store") == 503, "it must be the one that the entry names"
            server.show(root.issue(TILL, file="again"))
            assert asked("shop/store") == 200
        until(lambda: asked("shop/store") == 503, "it is not believed any more")
