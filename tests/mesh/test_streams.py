"""Where a workload's streams go: `tls` and `tcp` rules at sidecars, by CONNECT and by local ports.

Two programs of lines, two of HTTPS; `dialler` has a local port for each and a label that rules can ask for.
"""

import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.mesh.harness import FOREVER, Mesh, app
from tests.mesh.tls_clients import connect, line, subsets, tls_client, until_ended_after_an_answer

pytestmark = pytest.mark.mesh

UPSTREAMS = ("--upstream=lines:9000", "--upstream=secure:8443")
OUTSIDE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: ["*.example.com"]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: NONE
"""

STRANGERS_ONLY = """
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: no}
spec: {status: {code: 7, message: Not allowed}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any}
spec: {}
---
apiVersion: proa.dev/v1alpha1
kind: MixerRule
metadata: {name: no-dialler}
spec:
  match: context.protocol == "tcp" && has(source.labels.app) && source.labels.app == "dialler"
  actions: [{handler: no.denier, instances: [any.checknothing]}]
"""


@pytest.fixture(scope="module")
def streams(shared_mesh: Mesh) -> Iterator[Mesh]:
    mesh = shared_mesh
    names = ("secure-1", "secure-2", "lines-1", "lines-2")
    for name in names:
        kind, _, version = name.partition("-")
        argv = app("secure", name) if kind == "secure" else app("named_lines")
        port = "8443:auto/tls" if kind == "secure" else "9000:auto/tcp"
        mesh.run(name, argv, f"--service={kind}", f"--label=version=v{version}", port=port, wait=False)
    mesh.until_healthy(*names)
    try:
        with (
            mesh.running("dialler", FOREVER, *UPSTREAMS, "--label=app=dialler"),
            mesh.applied(subsets("secure"), subsets("lines")),
        ):
            yield mesh
    finally:
        mesh.stop_all(*names)


class Beyond:
    """What stands outside of the mesh: tells what it was sent. As a proxy it takes one request for a tunnel first, and
    answers with what it was asked for."""

    def __init__(self) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.asked: list[str] = []
        self._serving = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        beyond = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                first = self.rfile.readline()
                if not first.startswith((b"CONNECT", b"POST")):
                    self.wfile.write(first + (self.rfile.readline() if first.startswith(b"PROXY") else b""))
                    return
                beyond.asked.append(first.decode().strip())
                while self.rfile.readline().strip():
                    pass
                is_post = first.startswith(b"POST")
                self.wfile.write(
                    b"HTTP/1.1 200 OK\r\n" + b"transfer-encoding: chunked\r\n" * is_post + b"\r\n"
                )
                if is_post:
                    self.rfile.readline()
                answer = b"through " + self.rfile.readline()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(answer), answer) if is_post else answer)
                # Who hangs up here resets the client at the tunnel's other end.
                self.rfile.read()

        return Handler

    def __enter__(self) -> "Beyond":
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def entry(self, policy: str) -> str:
        return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: beyond}}
spec:
  hosts: [beyond.example]
  resolution: STATIC
  ports: [{{number: 3128, name: tcp, protocol: TCP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{tcp: {self.port}}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: beyond}}
spec: {{host: beyond.example, subsets: [{{name: told, trafficPolicy: {policy}}}]}}
"""


TO_BEYOND = "{route: [{destination: {host: beyond.example, subset: told}}]}"


def rules(kind: str, *blocks: str, host: str = "lines") -> str:
    listed = "".join(f"\n  - {block}" for block in blocks)
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: streams}}
spec:
  hosts: ["{host}"]
  {kind}:{listed}
"""


def to(host: str, *weights: int, match: str = "") -> str:
    """The subsets by their weights; 0 is left out."""
    listed = ", ".join(
        f"{{destination: {{host: {host}, subset: v{number}}}, weight: {weight}}}"
        for number, weight in enumerate(weights, start=1)
        if weight
    )
    return f"{{{match}{', ' if match else ''}route: [{listed}]}}"


def local_port(mesh: Mesh, name: str) -> int:
    return int(mesh.environment("dialler")[f"PROA_UPSTREAM_{name}"].rpartition(":")[2])


def test_streams_are_shared_out_by_weight(streams: Mesh) -> None:
    by_name, local = connect(streams, "lines:9000"), local_port(streams, "LINES")
    with streams.applied(rules("tcp", to("lines", 3, 1))):
        for way in (by_name, local):
            answers = Counter(line(way) for _ in range(60))
            assert 0 < answers["lines-2 hello"] < answers["lines-1 hello"], answers
            assert sum(answers.values()) == 60
    with streams.applied(rules("tcp", to("lines", 0, 1))):
        for way in (by_name, local):
            assert {line(way) for _ in range(8)} == {"lines-2 hello"}


def test_who_asks_decides(streams: Mesh) -> None:
    of_dialler = to("lines", 1, match="match: [{sourceLabels: {app: dialler}, port: 9000}]")
    with streams.applied(rules("tcp", of_dialler, to("lines", 0, 1))):
        assert {line(connect(streams, "lines:9000")) for _ in range(6)} == {"lines-2 hello"}
        assert {line(connect(streams, "lines:9000", "dialler")) for _ in range(6)} == {"lines-1 hello"}
        assert {line(local_port(streams, "LINES")) for _ in range(6)} == {"lines-1 hello"}


def test_tls_goes_by_the_name_that_is_asked_for(streams: Mesh) -> None:
    with streams.applied(
        rules("tls", to("secure", 0, 1, match="match: [{sniHosts: [secure]}]"), host="secure")
    ):
        for way in (connect(streams, "secure:8443"), local_port(streams, "SECURE")):
            assert {tls_client(way, "secure").answer[-10:] for _ in range(6)} == {"secure-2 /"}
    names = (
        to("secure", 1, match="match: [{port: 443, sniHosts: [a.example.com]}]"),
        to("secure", 0, 1, match="match: [{sniHosts: ['*.b.example.com']}]"),
    )
    with streams.applied(OUTSIDE + "---" + rules("tls", *names, host="*.example.com")):
        for name, served in {"a.example.com": "secure-1 /", "x.b.example.com": "secure-2 /"}.items():
            seen = {tls_client(connect(streams, f"{name}:443"), name).answer[-10:] for _ in range(6)}
            assert seen == {served}


@pytest.mark.parametrize("limit", ["idleTimeout: 300ms", "maxConnectionDuration: 300ms"])
def test_streams_end_when_they_are_idle_or_old(streams: Mesh, limit: str) -> None:
    policy = f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: lines}}
spec: {{host: lines, trafficPolicy: {{connectionPool: {{tcp: {{{limit}}}}}}}}}
"""
    streams.apply(policy)
    try:
        local = local_port(streams, "LINES")
        for way in (connect(streams, "lines:9000"), local):
            until_ended_after_an_answer(way)
    finally:
        streams.apply(subsets("lines"))


@pytest.mark.parametrize("protocol", ["CONNECT", "POST"])
def test_streams_leave_by_a_tunnel_through_another_service(streams: Mesh, protocol: str) -> None:
    """By a local port and by CONNECT, alone and as a share of several."""
    policy = f"{{tunnel: {{protocol: {protocol}, targetHost: far.example, targetPort: 9443}}}}"
    with Beyond() as beyond:
        with streams.applied(beyond.entry(policy) + "---" + rules("tcp", TO_BEYOND)):
            for way in (local_port(streams, "LINES"), connect(streams, "lines:9000")):
                assert line(way) == "through hello"
            said = {"CONNECT": "CONNECT far.example:9443 HTTP/1.1", "POST": "POST / HTTP/1.1"}[protocol]
            assert beyond.asked == [said] * 2
        assert line(local_port(streams, "LINES")).endswith("hello")
        assert len(beyond.asked) == 2


def test_whose_a_connection_is_may_be_told(streams: Mesh) -> None:
    local = local_port(streams, "LINES")
    with Beyond() as beyond:
        with streams.applied(
            beyond.entry("{proxyProtocol: {version: V1}}") + "---" + rules("tcp", TO_BEYOND)
        ):
            told, said = line(local).split("\r\n")
            assert told.startswith("PROXY TCP4 127.0.0.1 127.0.0.1 ")
            assert told.split()[5] == str(local)
            assert said == "hello"
        with streams.applied(
            beyond.entry("{proxyProtocol: {version: V2}}") + "---" + rules("tcp", TO_BEYOND)
        ):
            assert line(local) == "", "the second version begins with an empty line"
            with socket.create_connection(("127.0.0.1", local), timeout=20) as connection:
                connection.sendall(b"hello\n")
                assert connection.recv(100) == b"\r\n"


def test_mixers_rules_refuse_raw_connections_by_who_opens_them(streams: Mesh) -> None:
    """Asked when the first bytes have come; a rule in CEL, for which nothing of a request is there."""
    answers = {"lines-1 hello", "lines-2 hello"}
    assert line(local_port(streams, "LINES")) in answers
    with streams.applied(STRANGERS_ONLY):
        assert {line(local_port(streams, "LINES")) for _ in range(4)} == {""}
        assert {line(connect(streams, "lines:9000")) for _ in range(4)} <= answers
        told = streams.proa("explain", "--tcp", "lines:9000", "--from", "dialler")
        assert "PERMISSION_DENIED:no.denier.default:Not allowed" in told.stdout
    assert line(local_port(streams, "LINES")) in answers
