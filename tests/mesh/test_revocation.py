"""Who is revoked is refused on connections that stand already, HTTP and raw streams, while others go on under load; and
gets no certificate any more.

`thief` has stolen the key of the workload `victim` and speaks to sidecars directly, so nothing that its own sidecar is
told gets in its way.
"""

import contextlib
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from proa.core.model.names import WorkloadId
from proa.node.credentials import Credential
from proa.servers.admin.authority import RevokeRequest
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, identity, until
from tests.mesh.load import Load
from tests.ports import held_ports

pytestmark = pytest.mark.mesh

URL = "http://echo:8080/revoked"
LINES = 7400


@pytest.fixture
def scene(mesh: Mesh) -> Iterator[Mesh]:
    """The shared mesh with `lines`, a raw stream, and one more client, `victim`."""
    with contextlib.ExitStack() as stack:
        port, local = stack.enter_context(held_ports(2))
        stack.enter_context(mesh.running("lines", app("lines", str(port)), port=f"{LINES}:{port}/tcp"))
        stack.enter_context(mesh.running("victim", FOREVER, f"--upstream=lines:{LINES}@{local}"))
        yield mesh


class Thief:
    """One connection that shows the victim's certificate, held open."""

    def __init__(self, mesh: Mesh, stolen: Credential, workload: str, port: int, alpn: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=stolen.roots_pem)
        context.set_alpn_protocols([alpn])
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(stolen.key_pem + stolen.chain_pem)
            file.flush()
            context.load_cert_chain(file.name)
        plain = socket.create_connection(mesh.inbound(workload, port), timeout=30)
        self.connection = context.wrap_socket(plain, server_hostname="x")

    def __enter__(self) -> "Thief":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def get(self) -> int:
        """The status of one request, 0 when the connection is at its end."""
        try:
            self.connection.sendall(b"GET /stolen HTTP/1.1\r\nhost: echo:8080\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                part = self.connection.recv(65536)
                if not part:
                    return 0
                head += part
        except (ConnectionError, ssl.SSLError):
            return 0
        top, _, rest = head.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:])
        left = int(fields.get(b"content-length", b"0")) - len(rest)
        while left > 0:
            left -= len(self.connection.recv(left))
        return int(top.split()[1])

    def say(self, text: bytes) -> bytes:
        """The answer of `lines`, nothing when the connection is at its end."""
        try:
            self.connection.sendall(text)
            return self.connection.recv(100)
        except (ConnectionError, ssl.SSLError):
            return b""


def stolen_from(mesh: Mesh, workload: str) -> Credential:
    path = mesh.home.workload_dir(f"default/{workload}") / "credential.json"
    return msgspec.json.decode(path.read_bytes(), type=Credential)


@contextlib.contextmanager
def revoked(mesh: Mesh, what: str) -> Iterator[float]:
    """Also gives the time at which it was asked for."""
    at = time.monotonic()
    mesh.admin.revoke(RevokeRequest(what=what, reason="a test", author="test"))
    try:
        yield at
    finally:
        mesh.admin.revoke(RevokeRequest(what=what, author="test", restore=True))


def status(mesh: Mesh, workload: str) -> int:
    return curl_status(mesh.curl(workload, "-i", URL))


def test_an_identity_is_refused_on_open_connections_while_others_go_on(scene: Mesh) -> None:
    mesh = scene
    stolen = stolen_from(mesh, "victim")
    with (
        Load(mesh, "caller", URL) as honest,
        Thief(mesh, stolen, "echo", 8080, "istio-http/1.1") as http,
        Thief(mesh, stolen, "lines", LINES, "istio") as stream,
    ):
        assert http.get() == 200
        assert stream.say(b"before\n") == b"BEFORE\n"
        with revoked(mesh, identity("victim")) as at:
            until(lambda: http.get() == 403, "the next request on the open connection is refused")
            http_s = time.monotonic() - at
            until(lambda: stream.say(b"more\n") == b"", "the open stream is ended")
            stream_s = time.monotonic() - at
            with Thief(mesh, stolen, "echo", 8080, "istio-http/1.1") as another:
                assert another.get() == 403
            with Thief(mesh, stolen, "lines", LINES, "istio") as another:
                assert another.say(b"again\n") == b"", "a new stream is refused"
            assert status(mesh, "caller") == 200
        mesh.until_healthy("victim")
        until(lambda: status(mesh, "victim") == 200, "the revocation was taken back")
    print(f"refused after {http_s:.2f} s, the stream was ended after {stream_s:.2f} s")
    assert honest.result is not None
    print(honest.result.summary())
    assert honest.result.sent > 0
    assert not honest.result.failures, honest.result.summary()
    denied = mesh.stats("echo", "proa_revoked")
    assert sum(count for name, count in denied.items() if name.endswith(".denied")) >= 2, denied


def serial_of(mesh: Mesh, workload: str) -> str:
    """Of its newest certificate."""
    wanted = WorkloadId("default", workload)
    return next(each.serial for each in mesh.admin.certificates().certificates if each.workload == wanted)


def test_a_revoked_serial_is_refused_and_its_holder_makes_another_key(scene: Mesh) -> None:
    mesh = scene
    assert status(mesh, "victim") == 200
    stolen, before = stolen_from(mesh, "victim"), serial_of(mesh, "victim")
    with Thief(mesh, stolen, "echo", 8080, "istio-http/1.1") as http:
        assert http.get() == 200
        mesh.admin.revoke(RevokeRequest(what=before, author="test"))
        until(lambda: http.get() in (403, 0), "the stolen key opens nothing")
    until(lambda: serial_of(mesh, "victim") != before, "the agent has another certificate")
    until(lambda: status(mesh, "victim") == 200, "it is served with its new key")
    with Thief(mesh, stolen, "echo", 8080, "istio-http/1.1") as again:
        assert again.get() == 403


def test_a_workload_that_is_revoked_serves_nobody(scene: Mesh) -> None:
    mesh = scene
    until(speaks(mesh), "it serves")
    with revoked(mesh, "default/lines"):
        until(lambda: not mesh.endpoints("lines"), "no client is sent there")
        (refused,) = [each for each in mesh.admin.revocations().revocations if each.target.kind == "workload"]
        assert (refused.target.value, refused.reason) == ("default/lines", "a test")
    mesh.until_healthy("lines")
    until(speaks(mesh), "it serves again")


def speaks(mesh: Mesh) -> Callable[[], bool]:
    environment = mesh.environment("victim")
    name = next(key for key in environment if key.startswith("PROA_UPSTREAM_LINES"))
    host, _, port = environment[name].rpartition(":")

    def speak() -> bool:
        with socket.create_connection((host, int(port)), timeout=30) as stream:
            stream.sendall(b"here\n")
            try:
                return stream.recv(100) == b"HERE\n"
            except ConnectionError:
                return False

    return speak
