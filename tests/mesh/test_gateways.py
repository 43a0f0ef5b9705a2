"""What Gateways do to real clients: who is let in by which name, how TLS is ended or passed on, where streams go.

One gateway, two HTTPS programs, two of lines. Each test opens ports of its own and looks at what clients get.
"""

import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from proa.node.credentials import load_credential
from tests.certificates import Authority, Issued
from tests.mesh.harness import Mesh, app, identity, until
from tests.mesh.tls_clients import (
    ADDRESS,
    PREFACE,
    eventually,
    line,
    refused,
    subsets,
    tls_client,
    until_ended_after_an_answer,
)

pytestmark = pytest.mark.mesh


def gateway(*servers: str, name: str = "edge") -> str:
    listed = "".join(f"\n  - {server}" for server in servers)
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  selector: {{istio: ingressgateway}}
  servers:{listed}
"""


def server(port: int, protocol: str, tls: str = "", hosts: str = '"*"', more: str = "") -> str:
    settings = f", tls: {{{tls}}}" if tls else ""
    return (
        f"{{port: {{number: {port}, name: p{port}{more}, protocol: {protocol}}}, hosts: [{hosts}]{settings}}}"
    )


def rules(spec: str, name: str = "edge", hosts: str = '"*"', gateways: str = "edge") -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{hosts}]
  gateways: [{gateways}]
  {spec}
"""


WARMING = "cluster_manager.warming_clusters"
TO_WEB = "http: [{route: [{destination: {host: echo, port: {number: 8080}}}]}]"


def http(port: int, host: str, path: str = "/") -> tuple[int, dict[str, str]]:
    """Status and headers of a plain request."""
    with socket.create_connection((ADDRESS, port), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        head = b""
        while part := connection.recv(65536):
            head += part
    first, *lines = head.decode().partition("\r\n\r\n")[0].split("\r\n")
    fields = (line.partition(": ") for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, _, value in fields}


@pytest.fixture(scope="module")
def edge(shared_mesh: Mesh) -> Iterator[Mesh]:
    mesh = shared_mesh
    mesh.gateway("-n", "istio-system", wait=False)
    names = ("secure-1", "secure-2", "lines-1", "lines-2")
    for name in names:
        kind, _, version = name.partition("-")
        argv = app("secure", name) if kind == "secure" else app("named_lines")
        port = "8443:auto/tls" if kind == "secure" else "9000:auto/tcp"
        more = (f"--service={kind}", f"--label=version=v{version}")
        mesh.run(name, argv, *more, port=port, wait=False)
    mesh.until_healthy("ingressgateway", *names)
    try:
        with mesh.applied(*(subsets(kind) for kind in ("secure", "lines"))):
            yield mesh
    finally:
        mesh.stop_all("ingressgateway", *names)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def give(mesh: Mesh, name: str, pair: Issued | None = None, *more: str) -> None:
    words = ("tls", name, f"--cert={pair.cert}", f"--key={pair.key}") if pair else ("ca", name)
    mesh.proa("secret", "create", *words, *more, check=True)


def test_certificates_are_chosen_by_name_and_by_what_the_client_can(edge: Mesh, root: Authority) -> None:
    a, b = root.issue("a.example.com"), root.issue("b.example.com")
    rsa, ecdsa = root.issue("c.example.com", kind="RSA"), root.issue("c.example.com")
    give(edge, "a", a)
    files = f"mode: SIMPLE, serverCertificate: {b.cert}, privateKey: {b.key}"
    pairs = ", ".join(f"{{serverCertificate: {each.cert}, privateKey: {each.key}}}" for each in (rsa, ecdsa))
    servers = (
        server(7443, "HTTPS", "mode: SIMPLE, credentialName: a", "a.example.com", "a"),
        server(7443, "HTTPS", files, "b.example.com", "b"),
        server(7443, "HTTPS", f"mode: SIMPLE, tlsCertificates: [{pairs}]", '"*.example.com"', "c"),
    )
    with edge.applied(gateway(*servers) + rules(TO_WEB)):
        port = edge.gateway_port(7443)
        seen = eventually(port, "a.example.com", root.roots)
        assert (seen.served, seen.alpn, seen.version) == (a.hash, "http/1.1", "TLSv1.3")
        assert '"x-forwarded-proto": "https"' in seen.answer
        assert (
            eventually(port, "b.example.com", root.roots, alpn=("h2", "http/1.1"), say=PREFACE).alpn == "h2"
        )
        assert (
            eventually(
                port, "c.example.com", root.roots, ciphers="ECDHE-RSA-AES128-GCM-SHA256", is_old=True
            ).served
            == rsa.hash
        )
        assert (
            tls_client(
                port, "c.example.com", root.roots, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256", is_old=True
            ).served
            == ecdsa.hash
        )
        assert refused(port, "elsewhere.org")
        # Given again it is served at once, to nobody's harm.
        renewed = root.issue("a.example.com", file="renewed")
        give(edge, "a", renewed)
        until(lambda: tls_client(port, "a.example.com", root.roots).served == renewed.hash, "the new one")


def test_clients_show_certificates_where_they_must(edge: Mesh, root: Authority, tmp_path: Path) -> None:
    own, other = root.issue("m.example.com"), Authority(tmp_path, "other")
    ann, bob = root.issue("ann.clients"), root.issue("bob.clients")
    stranger = other.issue("ann.clients")
    crl = root.revoke(bob)
    give(edge, "m", own, f"--ca={root.roots}")
    give(edge, "m-revoking", None, f"--ca={root.roots}", f"--crl={crl}")
    files = f"serverCertificate: {own.cert}, privateKey: {own.key}"
    kinds = {
        "mutual": "mode: MUTUAL, credentialName: m",
        "optional": "mode: OPTIONAL_MUTUAL, credentialName: m",
        "revoking": "mode: MUTUAL, credentialNames: [m], caCertCredentialName: m-revoking",
        "files": f"mode: MUTUAL, {files}, caCertificates: {root.roots}, caCrl: {crl}",
        "names": "mode: MUTUAL, credentialName: m, subjectAltNames: [ann.clients]",
        "spki": f"mode: MUTUAL, credentialName: m, verifyCertificateSpki: ['{ann.spki}']",
        "hash": f"mode: MUTUAL, credentialName: m, verifyCertificateHash: ['{ann.hash}']",
        "lax": "mode: MUTUAL, credentialName: m, insecureSkipVerify: true",
    }
    servers = [server(7444, "HTTPS", tls, f"{name}.example.com", f"-{name}") for name, tls in kinds.items()]
    with edge.applied(gateway(*servers) + rules(TO_WEB)):
        port = edge.gateway_port(7444)
        let_in = {}
        for name in kinds:
            eventually(port, f"{name}.example.com", client=ann)
            let_in[name] = {
                who
                for who, client in {"nobody": None, "ann": ann, "bob": bob, "stranger": stranger}.items()
                if not refused(port, f"{name}.example.com", client=client)
            }
    assert let_in == {
        "mutual": {"ann", "bob"},
        "optional": {"nobody", "ann", "bob"},
        "revoking": {"ann"},
        "files": {"ann"},
        "names": {"ann"},
        "spki": {"ann"},
        "hash": {"ann"},
        "lax": {"ann", "bob", "stranger"},
    }


def test_versions_ciphers_and_curves_are_those_that_are_written(edge: Mesh, root: Authority) -> None:
    give(edge, "p", root.issue("p.example.com"))
    tls = "mode: SIMPLE, credentialName: p"
    suites = "ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-ECDSA-CHACHA20-POLY1305"
    servers = (
        server(7445, "HTTPS", f"{tls}, minProtocolVersion: TLSV1_3", "new.example.com", "-a"),
        server(7445, "HTTPS", f"{tls}, maxProtocolVersion: TLSV1_2", "old.example.com", "-b"),
        server(7445, "HTTPS", f"{tls}, cipherSuites: [{suites}]", "suites.example.com", "-c"),
        server(7445, "HTTPS", f"{tls}, ecdhCurves: [P-384]", "curves.example.com", "-d"),
    )
    with edge.applied(gateway(*servers) + rules(TO_WEB)):
        port = edge.gateway_port(7445)
        assert eventually(port, "new.example.com").version == "TLSv1.3"
        assert refused(port, "new.example.com", is_old=True)
        assert eventually(port, "old.example.com").version == "TLSv1.2"
        assert eventually(port, "suites.example.com", is_old=True).cipher in suites
        assert refused(port, "suites.example.com", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256", is_old=True)
        assert eventually(port, "curves.example.com", curve="secp384r1").answer
        assert refused(port, "curves.example.com", curve="prime256v1")


def test_plain_http_is_sent_to_https_or_served_by_name(edge: Mesh) -> None:
    servers = (
        server(7080, "HTTP", "httpsRedirect: true", '"*.safe.example"', "-safe"),
        server(7080, "HTTP2", "", "open.example", "-open"),
    )
    twin = gateway(server(7080, "HTTP", "", "open.example"), name="twin")
    with edge.applied(
        gateway(*servers) + "---" + twin + rules(TO_WEB) + rules(TO_WEB, "twin", "open.example", "twin")
    ):
        port = edge.gateway_port(7080)
        status, headers = http(port, "a.safe.example", "/x?y=1")
        assert (status, headers["location"]) == (301, "https://a.safe.example/x?y=1")
        assert http(port, "open.example")[0] == 200
        assert http(port, "elsewhere.example")[0] == 404


def test_a_server_may_choose_its_address_and_its_name(edge: Mesh) -> None:
    here = f"{server(7081, 'HTTP')[:-1]}, bind: 127.0.0.2, name: of-my-own}}"
    with edge.applied(gateway(here) + rules(TO_WEB)):
        port = edge.gateway_port(7081)
        with socket.create_connection(("127.0.0.2", port), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionRefusedError):
            http(port, "a")


TLS_BY_NAME = """tls:
  - match: [{port: 7446, sniHosts: [one.example.com]}]
    route: [{destination: {host: secure, subset: v1}}]
  - match: [{sniHosts: [two.example.com, "*.two.example.com"]}]
    route: [{destination: {host: secure, subset: v2}}]
  - match: [{sniHosts: [many.example.com]}]
    route:
    - {destination: {host: secure, subset: v1}, weight: 1}
    - {destination: {host: secure, subset: v2}, weight: 1}
  - match: [{port: 1, sniHosts: [never.example.com]}]
    route: [{destination: {host: secure}}]
"""


def test_tls_passes_unopened_by_the_name_it_asks_for(edge: Mesh, root: Authority) -> None:
    give(edge, "ended", root.issue("ended.example.com"))
    servers = (
        server(7446, "TLS", "mode: PASSTHROUGH", '"*.example.com"'),
        server(7446, "HTTPS", "mode: SIMPLE, credentialName: ended", "ended.example.com", "-x"),
    )
    routed = rules(TLS_BY_NAME, hosts='"*.example.com"') + rules(TO_WEB, "ended", "ended.example.com")
    with edge.applied(gateway(*servers) + routed):
        port = edge.gateway_port(7446)
        assert eventually(port, "one.example.com").answer.endswith("secure-1 /")
        assert tls_client(port, "two.example.com").answer.endswith("secure-2 /")
        assert tls_client(port, "deep.below.two.example.com").answer.endswith("secure-2 /")
        many = Counter(tls_client(port, "many.example.com").answer[-10:] for _ in range(40))
        assert len(many) == 2, many
        assert refused(port, "never.example.com")
        assert '"x-forwarded-proto"' in eventually(port, "ended.example.com", root.roots).answer


def test_streams_go_where_tcp_rules_say(edge: Mesh, root: Authority) -> None:
    give(edge, "lines", root.issue("lines.example.com"))
    servers = (
        server(7001, "TCP"),
        server(7002, "MONGO"),
        server(7447, "TLS", "mode: SIMPLE, credentialName: lines", "lines.example.com"),
    )
    to = "route: [{{destination: {{host: lines, subset: {}}}}}]"
    spec = f"""tcp:
  - match: [{{port: 7001, destinationSubnets: [192.0.2.0/24]}}]
    {to.format("v2")}
  - match: [{{port: 7001}}]
    {to.format("v1")}
  - match: [{{port: 7447, destinationSubnets: [127.0.0.0/8]}}]
    {to.format("v2")}
  - route:
    - {{destination: {{host: lines, subset: v1}}, weight: 3}}
    - {{destination: {{host: lines, subset: v2}}, weight: 1}}
"""
    with edge.applied(gateway(*servers) + rules(spec)):
        port = edge.gateway_port(7001)
        assert {line(port) for _ in range(8)} == {"lines-1 hello"}
        ended = eventually(edge.gateway_port(7447), "lines.example.com", root.roots, alpn=(), say="hi\n")
        assert ended.answer == "lines-2 hi\n"
        weighted = Counter(line(edge.gateway_port(7002)) for _ in range(60))
        assert 0 < weighted["lines-2 hello"] < weighted["lines-1 hello"]
        assert sum(weighted.values()) == 60


def test_streams_end_when_they_are_idle_or_old_and_stick_to_a_client(edge: Mesh) -> None:
    policy = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: lines}}
spec: {{host: lines, trafficPolicy: {}}}
"""
    spec = "tcp: [{route: [{destination: {host: lines}}]}]"
    with edge.applied(gateway(server(7003, "TCP")) + rules(spec)):
        port = edge.gateway_port(7003)
        assert {line(port) for _ in range(40)} == {"lines-1 hello", "lines-2 hello"}
        for pool in ("idleTimeout: 300ms", "maxConnectionDuration: 300ms"):
            edge.apply(policy.format(f"{{connectionPool: {{tcp: {{{pool}}}}}}}"))
            until_ended_after_an_answer(port)
        edge.apply(policy.format("{loadBalancer: {consistentHash: {useSourceIp: true}}}"))
        assert len({line(port) for _ in range(20)}) == 1
    edge.apply(subsets("lines"))


def credential_of(mesh: Mesh, workload: str, folder: Path) -> Issued:
    """A workload's own key and certificate, as files."""
    (found,) = [
        loaded
        for path in mesh.home.workload_dir(workload).iterdir()
        if path.is_file() and (loaded := load_credential(path))
    ]
    cert, key = folder / "workload.cert", folder / "workload.key"
    cert.write_text(found.chain_pem)
    key.write_text(found.key_pem)
    return Issued(cert, key, "", "", 0)


def test_mesh_tls_is_ended_or_passed_on(edge: Mesh, root: Authority, tmp_path: Path) -> None:
    caller = credential_of(edge, "default/caller", tmp_path)
    servers = (
        server(7448, "HTTPS", "mode: ISTIO_MUTUAL", "mesh.example.com"),
        server(
            7448,
            "HTTPS",
            f"mode: ISTIO_MUTUAL, subjectAltNames: ['{identity('echo')}']",
            "echo.example.com",
            "-e",
        ),
        server(7449, "TLS", "mode: AUTO_PASSTHROUGH", '"*.local"'),
    )
    with edge.applied(gateway(*servers) + rules(TO_WEB)):
        port = edge.gateway_port(7448)
        assert eventually(port, "mesh.example.com", client=caller).answer
        assert refused(port, "mesh.example.com", client=root.issue("stranger"))
        assert refused(port, "mesh.example.com")
        assert refused(port, "echo.example.com", client=caller)
        through = edge.gateway_port(7449)
        host = "lines.default.svc.cluster.local"
        stream = {"client": caller, "alpn": ("istio",), "say": "hi\n"}
        for version in ("1", "2"):
            name = f"outbound_.9000_.v{version}_.{host}"
            assert eventually(through, name, **stream).answer == f"lines-{version} hi\n"
        assert refused(through, f"outbound_.9999_._.{host}", **stream)


def test_an_ingress_serves_its_hosts_with_their_secrets(edge: Mesh, root: Authority) -> None:
    give(edge, "of-ingress", root.issue("ingress.example.com"))
    ingress = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  tls: [{hosts: [ingress.example.com], secretName: of-ingress}]
  rules:
  - host: ingress.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: echo, port: {number: 8080}}}}]}
"""
    with edge.applied(ingress):
        port = edge.gateway_port(443)
        assert "default/echo" in eventually(port, "ingress.example.com", root.roots).answer
        assert refused(port, "other.example.com"), "no certificate is for it"


def test_grpc_of_browsers_and_of_others(edge: Mesh) -> None:
    to_greeter = "http: [{route: [{destination: {host: greeter, port: {number: 7100}}}]}]"
    servers = (server(7101, "GRPC-WEB"), server(7102, "GRPC"))
    with (
        edge.running("greeter", app("greeter", "serve"), port="7100:auto/grpc"),
        edge.applied(gateway(*servers) + rules(to_greeter)),
    ):
        target = f"{ADDRESS}:{edge.gateway_port(7102)}"
        assert edge.output_of(app("greeter", "call", target)).startswith("hello proa")
        url = f"http://{ADDRESS}:{edge.gateway_port(7101)}/proa.test.Greeter/Hello"
        request = urllib.request.Request(
            url,
            data=b"\0\0\0\0\3you",
            headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.headers["content-type"] == "application/grpc-web+proto"
            body = answer.read()
        # A message, then the trailers as one more, since browsers see none.
        assert body.startswith(b"\0\0\0\0\x09hello you\x80")
        assert b"grpc-status:0" in body


def outside(simple: int, mutual: int) -> str:
    """Servers outside the mesh, whose certificate says outside.example: the gateway's, for want of others."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: outside}}
spec:
  hosts: [outside.example]
  ports: [{{number: 8080, name: simple, protocol: HTTP}}, {{number: 8081, name: mutual, protocol: HTTP}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{simple: {simple}, mutual: {mutual}}}}}]
"""


def originating(tls: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: outside}}
spec: {{host: outside.example, trafficPolicy: {{tls: {{{tls}}}}}}}
"""


def asked(mesh: Mesh, port: int, tls: str, wanted: int) -> int:
    """What the server says to a sidecar with such a rule; when it should answer, as soon as the secrets are there."""
    mesh.apply(originating(tls))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": mesh.proxy("caller")}))

    def ask() -> int:
        try:
            with opener.open(f"http://outside.example:{port}/", timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    # An accepted cluster serves only when it has its secrets; until then the one before does.
    until(lambda: mesh.stats("caller", WARMING)[WARMING] == 0, "no cluster is warming")
    if wanted == 200:
        until(lambda: ask() == 200, f"an answer to {tls}")
    return ask()


def test_sidecars_begin_tls_with_what_an_operator_gave_them(
    edge: Mesh, root: Authority, tmp_path: Path
) -> None:
    served, ann = root.issue("outside.example"), root.issue("ann.clients")
    elsewhere = Authority(tmp_path, "elsewhere")
    give(edge, "outside", served, f"--ca={root.roots}")
    give(edge, "ann", ann, f"--ca={root.roots}", "-n", "default")
    crl = root.revoke(served)
    trusting = f"caCertificates: {root.roots}"
    pair = f"clientCertificate: {ann.cert}, privateKey: {ann.key}"
    tried = {
        "roots": (8080, f"mode: SIMPLE, {trusting}", 200),
        "other roots": (8080, f"mode: SIMPLE, caCertificates: {elsewhere.roots}", 503),
        "the system's": (8080, "mode: SIMPLE", 503),
        "revoked": (8080, f"mode: SIMPLE, {trusting}, caCrl: {crl}", 503),
        "another name": (8080, f"mode: SIMPLE, {trusting}, subjectAltNames: [b.example]", 503),
        "anybody": (8080, "mode: SIMPLE, insecureSkipVerify: true", 200),
        "nothing shown": (8081, f"mode: SIMPLE, {trusting}", 503),
        "files shown": (8081, f"mode: MUTUAL, {trusting}, {pair}", 200),
        "a secret shown": (8081, "mode: MUTUAL, credentialName: ann", 200),
    }
    servers = (
        server(7450, "HTTPS", "mode: SIMPLE, credentialName: outside", "outside.example"),
        server(7451, "HTTPS", "mode: MUTUAL, credentialName: outside", "outside.example"),
    )
    with edge.applied(gateway(*servers) + rules(TO_WEB)):
        simple, mutual = edge.gateway_port(7450), edge.gateway_port(7451)
        eventually(simple, "outside.example")
        eventually(mutual, "outside.example", client=ann)
        with edge.applied(outside(simple, mutual), originating("mode: SIMPLE")):
            answered = {name: asked(edge, *case) for name, case in tried.items()}
    assert answered == {name: status for name, (_, _, status) in tried.items()}
