"""Where ServiceEntries lead real traffic: to names, to what is asked for, to sockets, to whoever wears the labels.

Names are looked up at a server of the test's own, and the servers outside the mesh stand at this host's own address.
"""

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.mesh.harness import Mesh, curl_status, identity, until
from tests.mesh.name_server import NameServer
from tests.mesh.test_capture import Answer, Outside, outside, own_address
from tests.mesh.test_mesh_config import settings
from tests.mesh.tls_clients import Refused, tls_client

pytestmark = pytest.mark.mesh


def entry(name: str, hosts: str, resolution: str, port: str, more: str = "") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec:
  hosts: ["{hosts}"]
  resolution: {resolution}
  ports: [{{{port}}}]
  {more}
"""


def plain(number: int) -> str:
    return f"number: {number}, name: http, protocol: HTTP"


def rules(name: str, host: str, to: str, more: str = "") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: ["{host}"]
  http: [{{{more}route: [{{destination: {{host: "{to}"}}}}]}}]
"""


def status(mesh: Mesh, url: str, *words: str) -> int:
    return curl_status(mesh.curl("caller", "-i", "-o", "/dev/null", "-D", "-", *words, url))


def members(mesh: Mesh, host: str) -> int:
    return sum(mesh.stats("caller", rf"cluster\.outbound\|\d+\|\|{host}\.membership_total$").values())


def test_names_that_are_known_and_names_that_are_asked_for(mesh: Mesh) -> None:
    """Whatever a rule says, nothing is looked up that is not below the wildcard, and nothing local is reached."""
    address = own_address()
    known = {
        "one.example": [address, "192.0.2.77"],
        "all.example": [address, "192.0.2.77"],
        "*.wild.example": [address],
        "inner.wild.example": ["127.0.0.1"],
        "relay.example": [address],
    }
    with outside(address) as server, NameServer(known) as names:
        port = server.port
        asked = (
            settings(f"dnsResolvers: ['{names.address}']"),
            entry("one", "one.example", "DNS_ROUND_ROBIN", plain(port)),
            entry("all", "all.example", "DNS", plain(port)),
            entry("wild", "*.wild.example", "DYNAMIC_DNS", plain(port)),
            rules("relay", "relay.example", "*.wild.example"),
            rules("renamed", "r.wild.example", "*.wild.example", "rewrite: {authority: relay.example}, "),
            rules(
                "headed", "h.wild.example", "*.wild.example", "headers: {response: {add: {x-ruled: here}}}, "
            ),
        )
        with mesh.applied(*asked):
            until(lambda: status(mesh, f"http://one.example:{port}/one") == 200, "the name is looked up")
            until(lambda: members(mesh, "all.example") == 2, "all addresses of a name are members")
            assert members(mesh, "one.example") == 1, "one member, however many addresses"
            for form in ((), ("-p",)):
                for name in ("a.wild.example", "b.c.wild.example"):
                    assert status(mesh, f"http://{name}:{port}/wild{len(form)}", *form) == 200
            assert "x-ruled: here" in mesh.curl("caller", "-i", f"http://h.wild.example:{port}/ruled").stdout
            assert mesh.logged("caller", path="/ruled")["cluster"] == f"outbound|{port}||*.wild.example"
            assert status(mesh, f"http://inner.wild.example:{port}/never") == 403
            assert status(mesh, f"http://relay.example:{port}/never") == 503
            assert status(mesh, f"http://r.wild.example:{port}/never") == 503
        assert sorted(server.seen) == ["/one", "/ruled", "/wild0", "/wild0", "/wild1", "/wild1"]
        assert "relay.example" not in names.asked


class Secured(Outside):
    """An `Outside` behind TLS. `named` are the names that clients asked for."""

    def __init__(self, address: str, root: Authority, *names: str) -> None:
        self.named: list[str] = []
        contexts = {}
        for name in names:
            pair = root.issue(name)
            contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            contexts[name].load_cert_chain(pair.cert, pair.key)
        first = contexts[names[0]]

        def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            self.named.append(name or "")
            connection.context = contexts.get(name or "", first)

        first.sni_callback = choose
        super().__init__(address)
        self._context = first

    def get_request(self) -> tuple[socket.socket, object]:
        plain, client = self.socket.accept()
        return self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), client

    def handle_error(self, request: object, client_address: object) -> None:
        """Handshakes that clients give up are part of the test."""


@contextlib.contextmanager
def secured(address: str, root: Authority, *names: str) -> Iterator[Secured]:
    with Secured(address, root, *names) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def begin(name: str, host: str, root: Authority) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec: {{host: "{host}", trafficPolicy: {{tls: {{mode: SIMPLE, caCertificates: {root.roots}}}}}}}
"""


THROUGH = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: out}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: 7443, name: tls, protocol: TLS}}, hosts: ["*"], tls: {{mode: PASSTHROUGH}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: out}}
spec:
  hosts: ["*.wild.example", relay.example]
  gateways: [out]
  tls:
  - match: [{{port: 7443, sniHosts: ["*.wild.example"]}}]
    route: [{{destination: {{host: "*.wild.example", port: {{number: {port}}}}}}}]
  - match: [{{port: 7443, sniHosts: [relay.example]}}]
    route: [{{destination: {{host: "*.wild.example", port: {{number: {port}}}}}}}]
"""


def test_names_that_tls_asks_for(mesh: Mesh, tmp_path: Path) -> None:
    """Begun by a sidecar, which asks the server for what the request asked for; and passed on by a gateway, by SNI."""
    address, root = own_address(), Authority(tmp_path)
    known = {
        "named.example": [address],
        "*.wild.example": [address],
        "*.begun.example": [address],
        "inner.wild.example": ["127.0.0.1"],
        "relay.example": [address],
    }
    served = ("a.begun.example", "else.example", "a.wild.example")
    with secured(address, root, *served) as server, NameServer(known) as names:
        tls = f"number: {server.port}, name: tls, protocol: TLS"
        asked = (
            settings(f"dnsResolvers: ['{names.address}']"),
            entry("begun", "*.begun.example", "DYNAMIC_DNS", plain(server.port)),
            begin("begun", "*.begun.example", root),
            entry("named", "named.example", "DNS", plain(server.port), "subjectAltNames: [a.begun.example]"),
            begin("named", "named.example", root),
            entry("wild", "*.wild.example", "DYNAMIC_DNS", tls),
            THROUGH.format(port=server.port),
        )
        mesh.gateway("-n", "istio-system")
        try:
            with mesh.applied(*asked):
                url = f":{server.port}/secured"
                until(lambda: status(mesh, f"http://a.begun.example{url}") == 200, "the roots have come")
                assert "a.begun.example" in server.named
                assert status(mesh, f"http://b.begun.example{url}") == 503, "the server has another name"
                until(
                    lambda: status(mesh, f"http://named.example{url}") == 200,
                    "the entry says which name it has",
                )
                edge = mesh.gateway_port(7443)
                until(lambda: seen(edge, "a.wild.example"), "the gateway looks up what it is asked for")
                before = len(server.named)
                assert not seen(edge, "inner.wild.example"), "what is on this host is not reached"
                assert not seen(edge, "relay.example"), "what is not below the wildcard is not looked up"
                assert len(server.named) == before
                assert "relay.example" not in names.asked
        finally:
            mesh.stop("ingressgateway")


def seen(port: int, name: str) -> bool:
    try:
        return "outside" in tls_client(port, name).answer
    except (Refused, OSError):
        return False


class SocketServer(socketserver.ThreadingUnixStreamServer):
    seen: list[str]


class SocketAnswer(Answer):
    def address_string(self) -> str:
        return "a socket"


@contextlib.contextmanager
def on_socket(path: Path) -> Iterator[SocketServer]:
    with SocketServer(str(path), SocketAnswer) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


SELECTED = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: vm}}
spec: {{address: {address}, ports: {{http: {port}}}, labels: {{app: echo}}, weight: 3, locality: far/away}}
"""


def test_who_wears_the_labels_and_what_is_no_port(mesh: Mesh, tmp_path: Path) -> None:
    """A selector takes in what an operator entered and what runs; and outside the mesh no label makes mutual TLS."""
    address = own_address()
    both = (
        "location: MESH_INTERNAL\n  workloadSelector: {labels: {app: echo}}"
        f"\n  subjectAltNames: ['{identity('echo')}']"
    )
    with outside(address) as server, on_socket(tmp_path / "s") as local:
        labelled = (
            f"endpoints: [{{address: {address}, ports: {{http: {server.port}}},"
            " labels: {security.istio.io/tlsMode: istio}}]"
        )
        asked = (
            entry("both", "both.example", "STATIC", plain(8080), both),
            SELECTED.format(address=address, port=server.port),
            entry("out", "out.example", "STATIC", plain(80), labelled),
            entry("in", "in.example", "STATIC", plain(80), f"location: MESH_INTERNAL\n  {labelled}"),
            entry(
                "socket",
                "socket.example",
                "STATIC",
                plain(80),
                f"endpoints: [{{address: 'unix://{local.server_address}'}}]",
            ),
        )
        with mesh.applied(*asked):
            answers: set[str] = set()

            def both_answered() -> bool:
                body = mesh.curl("caller", "http://both.example:8080/both").stdout
                answers.add("outside" if body == "outside" else str(json.loads(body)["name"]))
                return answers == {"outside", "default/echo"}

            until(both_answered, "an entered and a running workload answer")
            assert mesh.logged("echo", path="/both", direction="inbound")["peer"] == identity("caller")
            assert status(mesh, "http://out.example/plain") == 200
            assert status(mesh, "http://in.example/mutual") == 503
            assert status(mesh, "http://socket.example/local") == 200
            assert local.seen == ["/local"]
