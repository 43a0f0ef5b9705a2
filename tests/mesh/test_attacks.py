"""Attacks on what carries requests, with raw bytes, at a gateway and at a server's sidecar.

Each is refused with a reason in the access log or a counter of Envoy's, or made harmless; each has its counterpart that
passes. A stranger comes to the gateway; `caller`, whose key was stolen, to the sidecar of `echo`.
"""

import contextlib
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import get_args

import h2.config
import h2.connection
import h2.events
import pytest

from proa.core.auth.authorization.evaluate import evaluate
from proa.core.auth.authorization.reading import TrustDomains, read_policy
from proa.core.auth.authorization.request import Caller, Request
from proa.core.config import Config, Document, Json, load
from proa.core.config.yaml_reader import NO_MARKS
from proa.core.model.paths import is_read_twice
from proa.core.model.settings import PathNormalization
from proa.core.pilot.simulate.reception import path_in_mode
from proa.node.credentials import load_credential
from proa.node.run import CREDENTIAL
from tests.mesh.harness import Mesh, until

pytestmark = pytest.mark.mesh

Dial = Callable[[], socket.socket]
HOST = "host: echo.default:8080\r\n"
SNI = "outbound_.8080_._.echo.default.svc.cluster.local"
EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: attacked}
spec:
  selector: {istio: attacked}
  servers: [{port: {number: 7480, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: attacked}
spec:
  hosts: ["*"]
  gateways: [attacked]
  http:
  - match: [{uri: {exact: /only/routed}}]
    directResponse: {status: 418}
  - route: [{destination: {host: echo, port: {number: 8080}}}]
"""
ALLOWED: list[Json] = ["/open", "/a/b", "/h/*"]
DENIED: list[Json] = ["/h/secret"]


def policy(name: str, spec: dict[str, Json]) -> dict[str, Json]:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "echo"}}, **spec},
    }


POLICIES = (
    policy("only", {"rules": [{"to": [{"operation": {"paths": ALLOWED}}]}]}),
    policy("never", {"action": "DENY", "rules": [{"to": [{"operation": {"paths": DENIED}}]}]}),
)


def said_on(connection: socket.socket, text: str) -> tuple[int, str]:
    """As `Target.say`, on a connection that stays open."""
    connection.sendall(text.encode("latin-1"))
    with connection.makefile("rb") as answer:
        status = int(answer.readline().split()[1])
        fields = dict(line.lower().split(b": ", 1) for line in iter(answer.readline, b"\r\n"))
        return status, answer.read(int(fields.get(b"content-length", b"0"))).decode()


class Target:
    """Where an attack goes: how to get there, and whose log tells of it."""

    def __init__(self, mesh: Mesh, dial: Dial, workload: str, namespace: str, stats: str) -> None:
        self.mesh, self.dial, self._workload, self._namespace = mesh, dial, workload, namespace
        self._stats = stats

    def errors(self) -> int:
        return self.count(rf"http\.{self._stats}\.downstream_cx_protocol_error$")

    def count(self, pattern: str) -> int:
        return sum(self.mesh.stats(self._workload, pattern, self._namespace).values())

    def logged(self, **wanted: object) -> None:
        self.mesh.logged(self._workload, self._namespace, **wanted)

    def say(self, text: str) -> tuple[int, str]:
        """Status and body of what comes back first."""
        with self.dial() as connection:
            return said_on(connection, text)

    def get(self, path: str, headers: str = "") -> tuple[int, str]:
        return self.say(f"GET {path} HTTP/1.1\r\n{HOST}{headers}\r\n")

    def got(self, path: str, headers: str = "") -> dict[str, str]:
        """The headers that the program got."""
        status, body = self.get(path, headers)
        assert status == 200, (status, body)
        found: dict[str, str] = json.loads(body)["headers"]
        return found


def _with_key_of_caller(mesh: Mesh, folder: Path) -> ssl.SSLContext:
    stolen = load_credential(mesh.home.workload_dir("default/caller") / CREDENTIAL)
    assert stolen is not None
    pair = folder / "pair.pem"
    pair.write_text(stolen.key_pem + stolen.chain_pem)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(pair)
    return context


@pytest.fixture(scope="module")
def scene(shared_mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Target]]:
    mesh = shared_mesh
    mesh.gateway("-n", "istio-system", "--label=istio=attacked", name="attacked")
    address = mesh.inbound("echo", 8080)
    folder = tmp_path_factory.mktemp("stolen")

    def over_tls(alpn: str) -> socket.socket:
        context = _with_key_of_caller(mesh, folder)
        context.set_alpn_protocols([alpn])
        return context.wrap_socket(socket.create_connection(address, timeout=20), server_hostname=SNI)

    try:
        with mesh.applied(EDGE, *(json.dumps(each) for each in POLICIES)):
            port = mesh.gateway_port(7480, "attacked")
            yield {
                "gateway": Target(
                    mesh,
                    lambda: socket.create_connection(("127.0.0.1", port), timeout=20),
                    "attacked",
                    "istio-system",
                    "gateway",
                ),
                "sidecar": Target(mesh, lambda: over_tls("istio-http/1.1"), "echo", "default", "inbound"),
                "sidecar-h2": Target(mesh, lambda: over_tls("istio-h2"), "echo", "default", "inbound"),
            }
    finally:
        mesh.stop("attacked")


SMUGGLED = f"0\r\n\r\nGET /h/smuggled HTTP/1.1\r\n{HOST}\r\n"
BROKEN = {
    "content-length: 4\r\ntransfer-encoding: chunked\r\n": "http1.content_length_and_chunked_not_allowed",
    "content-length: 4\r\ncontent-length: 60\r\n": "http1.codec_error",
    "content-length: 4\r\ncontent-length: 4\r\n": "http1.codec_error",
    "content-length: 4, 60\r\n": "http1.codec_error",
    "content-length: +4\r\n": "http1.codec_error",
    "transfer-encoding: xchunked\r\n": "http1.invalid_transfer_encoding",
    "transfer-encoding : chunked\r\n": "http1.codec_error",
    "x-a: b\0c\r\n": "http1.invalid_characters",
}


@pytest.mark.parametrize("where", ["gateway", "sidecar"])
def test_requests_of_two_readings_are_refused(scene: dict[str, Target], where: str) -> None:
    target = scene[where]
    assert target.get("/h/plain")[0] == 200
    before = target.errors()
    for headers, reason in BROKEN.items():
        status, _ = target.say(f"POST /h/broken HTTP/1.1\r\n{HOST}{headers}\r\n{SMUGGLED}")
        assert status in (400, 501), headers
        target.logged(details=reason, flags="DPE")
    assert target.errors() - before == len(BROKEN)
    seen = target.mesh.workloads["echo"].output
    assert "/h/broken" not in seen
    assert "/h/smuggled" not in seen


@pytest.mark.parametrize("where", ["gateway", "sidecar"])
def test_lines_of_two_readings_go_on_as_one(scene: dict[str, Target], where: str) -> None:
    """Envoy takes bare LF, bare CR and folded lines, and writes each header anew: nobody behind it reads two."""
    target = scene[where]
    assert target.say(f"GET /h/lf HTTP/1.1\n{HOST.strip()}\n\n")[0] == 200
    assert target.got("/h/lf", "x-a: b\nx-b: c\r\n").items() >= {"x-a": "b", "x-b": "c"}.items()
    folded = target.got("/h/fold", "x-a: b\r\n x-evil: c\r\n")
    assert folded["x-a"] == "b x-evil: c"
    parted = target.got("/h/cr", "x-a: b\rx-evil: c\r\n")
    assert parted["x-a"] == "bx-evil: c"
    assert "x-evil" not in {*folded, *parted}
    assert target.get("/h/secret", "x-a: b\r\n c\r\n")[0] == 403


H2 = ((":method", "GET"), (":scheme", "http"), (":authority", "echo.default:8080"))
BROKEN_H2 = (
    (*H2, (":path", "/h/broken2"), ("x-a", "b\r\nx-evil: 1")),
    (*H2, (":path", "/h/broken2"), ("x-a\r\nevil", "b")),
    (*H2, (":path", "/h/broken2 HTTP/1.1\r\n\r\nGET /h/secret")),
    ((":method", "GET /h/secret HTTP/1.1\r\nx: y"), *H2[1:], (":path", "/h/broken2")),
    (*H2, (":path", "/h/broken2"), ("transfer-encoding", "chunked")),
    (*H2, (":path", "/h/broken2"), ("Content-Length", "5")),
    (*H2, (":path", "/h/broken2"), ("content-length", "5")),
)


def first_bytes(headers: tuple[tuple[str, str], ...]) -> bytes:
    """A connection's beginning with one request without a body."""
    settings = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    client = h2.connection.H2Connection(settings)
    client.initiate_connection()
    client.send_headers(1, list(headers), end_stream=True)
    return client.data_to_send()


def is_answered(connection: socket.socket) -> bool:
    """Whether there is a response before the other side resets the stream or hangs up."""
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(1, (*H2, (":path", "/")), end_stream=True)
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            events = client.receive_data(data)
            if any(isinstance(each, h2.events.ResponseReceived) for each in events):
                return True
            if any(isinstance(each, h2.events.StreamReset) for each in events):
                return False
    return False


@pytest.mark.parametrize("where", ["gateway", "sidecar-h2"])
def test_http2_that_would_be_two_requests_in_http1_is_refused(scene: dict[str, Target], where: str) -> None:
    target = scene[where]
    before = target.errors()
    with contextlib.ExitStack() as stack:
        connections = []
        for headers in ((*H2, (":path", "/h/plain2")), *BROKEN_H2):
            connections.append(stack.enter_context(target.dial()))
            connections[-1].sendall(first_bytes(headers))
        plain, *broken = map(is_answered, connections)
    assert plain
    assert not any(broken), broken
    target.logged(details="http2.invalid.header.field", flags="DPE")
    target.logged(details="http2.violation.of.messaging.rule", flags="DPE")
    assert target.errors() - before == len(BROKEN_H2)
    assert "/h/broken2" not in target.mesh.workloads["echo"].output


FORGED = (
    "x-forwarded-client-cert: By=a;URI=spiffe://cluster.local/ns/default/sa/admin\r\n"
    "x-envoy-original-path: /open\r\nx-envoy-original-host: forged\r\nx-envoy-external-address: 9.9.9.9\r\n"
    "x-envoy-decorator-operation: forged\r\nx-envoy-peer-metadata: forged\r\nx-envoy-attempt-count: 7\r\n"
    "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 99\r\nx-envoy-upstream-alt-stat-name: forged\r\n"
)
UNDERSCORES = "x_forwarded_client_cert: forged\r\nX-Forwarded_Client-Cert: forged\r\n"


def test_what_a_stranger_says_of_himself(scene: dict[str, Target]) -> None:
    edge = scene["gateway"]
    got = edge.got("/h/forged", FORGED)
    assert re.findall("URI=([^;,]*)", got["x-forwarded-client-cert"]) == [
        "spiffe://cluster.local/ns/istio-system/sa/attacked"
    ]
    assert {name for name in got if name.startswith("x-envoy-")} == {"x-envoy-external-address"}
    assert got["x-envoy-external-address"] == "127.0.0.1"
    edge.logged(path="/h/forged")
    assert edge.get("/h/secret", FORGED)[0] == 403
    assert edge.get("/h/underscore", UNDERSCORES)[0] == 400
    edge.logged(details="http1.unexpected_underscore", flags="DPE")


def test_what_a_caller_says_of_himself(scene: dict[str, Target]) -> None:
    server = scene["sidecar"]
    got = server.got("/h/forged", FORGED + UNDERSCORES)
    assert re.findall("URI=([^;,]*)", got["x-forwarded-client-cert"]) == [
        "spiffe://cluster.local/ns/default/sa/caller"
    ]
    assert not {name for name in got if "_" in name}
    assert not {"x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-upstream-alt-stat-name"} & {*got}
    for path, rule in (("/h/secret", "ns[default]-policy[never]-rule[0]"), ("/closed", "none")):
        assert server.get(path, FORGED)[0] == 403
        server.logged(path=path, details=f"rbac_access_denied_matched_policy[{rule}]")


def test_a_program_writes_no_other_path_into_its_log(scene: dict[str, Target]) -> None:
    mesh = scene["sidecar"].mesh
    done = mesh.curl("caller", "-H", "x-envoy-original-path: /open", "http://echo.default:8080/h/really")
    assert "x-envoy-original-path" not in json.loads(done.stdout)["headers"]
    mesh.logged("caller", direction="outbound", path="/h/really")


TRICKS = (
    *(
        "/open",
        "/open?/closed",
        "/closed?/open",
        "/open/",
        "/open;x",
        "/OPEN",
        "/o%70en",
        "/open%3Fx",
        "/open%2f",
    ),
    *("/a/b", "/a%2fb", "/a%5Cb", "/a\\b", "/a//b", "/a/./b", "/a/x/../b", "/a/x/%2e%2e/b", "/a/x%2f..%2fb"),
    *(
        "/h/secret",
        "/h/%73ecret",
        "/h//secret",
        "/h%2Fsecret",
        "/h/x/..%2fsecret",
        "/h/./secret",
        "//h/secret",
    ),
    *("/h/secret;x", "/h/Secret", "/h/secret?x", "/h/x/../../closed", "/h/..%2fclosed", "/h/..;/closed"),
    *("/h/%2e%2e;/closed", "/h/x/.;y/secret", "/open/..;z/open", "/h/%2%65%2%65/closed", "/h/%%32e./closed"),
)
PIECES = (
    *(
        "/",
        "/",
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2E",
        ";",
        "..;",
        ".;x",
        "%",
        "%25",
        "%2",
        "2",
        "e",
        "%65",
        "%32",
    ),
    *("%252e", "%2f", "%5c", "\\", "%3b", "a", "h", "secret", "open", "?", "*", "{", "%7e"),
)
ROUTED = (
    "/only/routed",
    "/only//routed",
    "/only%2frouted",
    "/only/./routed",
    "/only/%72outed",
    "/ONLY/routed",
)


def test_rules_routes_and_the_evaluator_see_one_path(scene: dict[str, Target]) -> None:
    mesh = scene["sidecar"].mesh
    _sees_one_path(scene, "BASE")  # the default
    first, *others = (mode for mode in get_args(PathNormalization) if mode != "BASE")
    with mesh.applied(normalizing(first)):
        _sees_one_path(scene, first)
        for mode in others:
            mesh.apply(normalizing(mode))
            _sees_one_path(scene, mode)


def normalizing(mode: PathNormalization) -> str:
    return json.dumps(
        {
            "apiVersion": "mesh.istio.io/v1alpha1",
            "kind": "MeshConfig",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "spec": {"pathNormalization": {"normalization": mode}},
        }
    )


def random_paths(seed: str) -> list[str]:
    rng = Random(seed)
    return ["/h/" + "".join(rng.choices(PIECES, k=rng.randint(1, 9))) for _ in range(120)]


def _sees_one_path(scene: dict[str, Target], mode: PathNormalization) -> None:
    """By the server's sidecar alone, and behind the gateway, which makes the path canonical before it: what one proxy
    judged is what the next one judges and what the program gets."""
    read = [load(Document(file="f", line=1, value=each, marks=NO_MARKS)) for each in POLICIES]
    policies = tuple(read_policy(each, TrustDomains()) for each in read if isinstance(each, Config))
    assert len(policies) == len(POLICIES)
    caller = Caller(principal="cluster.local/ns/default/sa/caller", workload="caller.default")
    refused = 0
    with scene["sidecar"].dial() as at_server, scene["gateway"].dial() as at_edge:
        for path in (*TRICKS, *random_paths(mode)):
            seen = path_in_mode(path, mode)
            is_refused = mode != "NONE" and is_read_twice(seen)
            assert is_refused or path_in_mode(seen, mode) == seen, "canonical once is canonical for good"
            request = Request(caller=caller, ports=(8080,), authority="echo.default:8080", path=seen)
            allowed = evaluate(policies, request).final.outcome == "allowed" and not is_refused
            refused += is_refused
            for connection in (at_server, at_edge):
                status, body = said_on(connection, f"GET {path} HTTP/1.1\r\n{HOST}\r\n")
                assert status == (200 if allowed else 403), (mode, path, seen)
                assert not allowed or json.loads(body)["raw_path"] == seen, "the program gets what was judged"
        for path in ROUTED:
            status, _ = said_on(at_edge, f"GET {path} HTTP/1.1\r\n{HOST}\r\n")
            assert (status == 418) == (path_in_mode(path, mode) == "/only/routed"), (mode, path)
    assert (refused > 0) == (mode != "NONE")


def test_dots_that_two_readers_read_apart_are_refused(scene: dict[str, Target]) -> None:
    for where, stats in (("gateway", "gateway"), ("sidecar", "inbound")):
        target = scene[where]
        counter = rf"http\.{stats}\.rbac\.proa_path_\.?denied$"
        before = target.count(counter)
        for path in ("/h/%2e%2e;x/closed", "/h/.%2e;/closed?q", "/h/%2e;/open", "/h\\..;/closed"):
            assert target.get(path)[0] == 403, path
        target.logged(details="rbac_access_denied_matched_policy[dots-with-parameters]")
        assert target.count(counter) - before == 4
        assert target.get("/h/%2e%2ex;/open?to=/..;x")[0] == 200


def test_the_mesh_speaks_tls_1_3_alone(scene: dict[str, Target], tmp_path: Path) -> None:
    mesh = scene["sidecar"].mesh
    address = mesh.inbound("echo", 8080)
    context = _with_key_of_caller(mesh, tmp_path)
    context.set_alpn_protocols(["istio-http/1.1"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    counted = r"ssl\.connection_error$"
    before = sum(mesh.stats("echo", counted).values())
    with (
        socket.create_connection(address, timeout=20) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(plain, server_hostname=SNI)
    until(lambda: sum(mesh.stats("echo", counted).values()) > before, "the handshake is counted")


def test_no_key_is_told(scene: dict[str, Target]) -> None:
    """Neither by a proxy's own pages, nor by the commands that show them, nor in a log."""
    mesh = scene["sidecar"].mesh
    stolen = load_credential(mesh.home.workload_dir("default/caller") / CREDENTIAL)
    assert stolen is not None
    secret = stolen.key_pem.splitlines()[1]
    page = str(mesh.home.workload_socket("default/caller", "admin"))
    dump = mesh.output_of(("curl", "-sS", "--unix-socket", page, "http://envoy/config_dump?include_eds"))
    assert "[redacted]" in dump or "W3JlZGFjdGVkXQ==" in dump, "there is a secret in it"
    told = [dump, mesh.output_of(("curl", "-sS", "--unix-socket", page, "http://envoy/certs"))]
    told += [
        mesh.proa("proxy", "config", "caller", "-o", form, check=True).stdout for form in ("json", "yaml")
    ]
    told += [file.read_text(errors="replace") for file in mesh.home.path.rglob("*.log")]
    for text in told:
        assert secret not in text
        assert "PRIVATE KEY" not in text
