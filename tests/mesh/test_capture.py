"""Where a sidecar carries its app's calls to hosts the mesh does not know, and where it never does."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.mesh.harness import Mesh, app, curl_status, why_no_envoy

pytestmark = pytest.mark.mesh


class Outside(http.server.ThreadingHTTPServer):
    """A server that is no part of the mesh; `seen` are the paths it was asked for."""

    def __init__(self, address: str) -> None:
        self.seen: list[str] = []
        super().__init__((address, 0), Answer)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Answer(http.server.BaseHTTPRequestHandler):
    server: Outside

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.send_response(200)
        self.send_header("content-length", "7")
        self.end_headers()
        self.wfile.write(b"outside")

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def outside(address: str = "127.0.0.1") -> Iterator[Outside]:
    with Outside(address) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def own_address() -> str:
    """An address of this host that is neither loopback nor link-local; skips without one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this host has no address but loopback")
        return str(probe.getsockname()[0])


def call(mesh: Mesh, url: str, *words: str) -> tuple[int, str]:
    """The status the proxy gave, by `-p` the one it gave to CONNECT, and the body."""
    done = mesh.curl("caller", "--noproxy", "", "-w", "%{http_connect} %{http_code}", "-o", "-", *words, url)
    body, _, codes = done.stdout.rpartition("\n") if "\n" in done.stdout else ("", "", done.stdout[-7:])
    connect, plain = codes.split()
    return int(connect) if "-p" in words and connect != "200" else int(plain), body or done.stdout[:-7]


FORMS = pytest.mark.parametrize("form", [(), ("-p",)], ids=["absolute-form", "CONNECT"])


@FORMS
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.8.8.8", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_loopback_is_never_reached_through_the_sidecar(mesh: Mesh, host: str, form: tuple[str, ...]) -> None:
    with outside("0.0.0.0") as server:
        status, _ = call(mesh, f"http://{host}:{server.port}/never", *form)
        assert status == 403
        assert server.seen == []


@FORMS
def test_link_local_is_never_reached_through_the_sidecar(mesh: Mesh, form: tuple[str, ...]) -> None:
    """169.254.169.254 is where clouds keep the credentials of a host."""
    assert call(mesh, "http://169.254.169.254/latest/meta-data", *form)[0] == 403


@FORMS
def test_another_sidecar_is_never_reached_around_its_service(mesh: Mesh, form: tuple[str, ...]) -> None:
    address, port = mesh.inbound("echo", 8080)
    assert call(mesh, f"http://{address}:{port}/around", *form)[0] == 403
    assert "/around" not in mesh.workloads["echo"].output


@FORMS
def test_allow_any_goes_out(mesh: Mesh, form: tuple[str, ...]) -> None:
    address = own_address()
    with outside(address) as server:
        assert call(mesh, f"http://{address}:{server.port}/out", *form) == (200, "outside")
        assert server.seen == ["/out"]


@pytest.fixture(scope="module")
def registry_only() -> Iterator[Mesh]:
    if why_no_envoy():
        pytest.skip(why_no_envoy())
    with Mesh("up", "--outbound-traffic-policy=REGISTRY_ONLY") as mesh:
        mesh.run("caller", wait=False)
        mesh.run("echo", app("echo"), port="8080:auto", wait=False)
        mesh.until_healthy("caller", "echo")
        yield mesh


@FORMS
def test_registry_only_answers_502_to_what_it_does_not_know(
    registry_only: Mesh, form: tuple[str, ...]
) -> None:
    address = own_address()
    with outside(address) as server:
        for host in (address, "nowhere.example"):
            assert call(registry_only, f"http://{host}:{server.port}/out", *form)[0] == 502
        assert server.seen == []


@FORMS
def test_registry_only_knows_services_and_entries(registry_only: Mesh, form: tuple[str, ...]) -> None:
    assert curl_status(registry_only.curl("caller", "-i", *form, "http://echo:8080/known")) == 200
    address = own_address()
    with outside(address) as server:
        entry = ENTRY.format(address=address, port=server.port)
        with registry_only.applied(entry):
            assert call(registry_only, f"http://out.example:{server.port}/told", *form) == (200, "outside")
        assert call(registry_only, f"http://out.example:{server.port}/gone", *form)[0] == 502
        assert server.seen == ["/told"]


ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: out}}
spec:
  hosts: [out.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{{number: {port}, name: http, protocol: HTTP}}]
  endpoints: [{{address: {address}}}]
"""
