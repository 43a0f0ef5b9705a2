"""What the mesh's settings do to real traffic: each field of a MeshConfig that is in force, several to a scene.

`caller`, `echo` and a `web` of declared HTTP in the namespace `default`, a client `far` in `shop`.
"""

import asyncio
import contextlib
import json
import secrets
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proa.adapters.key_stores.disk.store import DiskKeyStore
from proa.control_plane.ca_keys import generate_key, load_roots
from proa.core.auth.ca import Ca, private_pem, to_pem
from proa.core.auth.sign import sign
from proa.core.auth.template import workload_leaf
from proa.core.model.names import WorkloadId
from proa.demo.intruder import REFUSED, knock
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until
from tests.mesh.name_server import NameServer
from tests.mesh.test_capture import outside, own_address

pytestmark = pytest.mark.mesh

WEB = "http://web.default:8081"
CLUSTER = r"cluster\.outbound\|8081\|\|web\."


def settings(spec: str) -> str:
    return f"""
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {{name: istio, namespace: istio-system}}
spec: {{{spec}}}
"""


@pytest.fixture(scope="module")
def shop(shared_mesh: Mesh) -> Iterator[Mesh]:
    with (
        shared_mesh.running("web", app("echo"), port="8081:auto/http"),
        shared_mesh.running("far", FOREVER, namespace="shop"),
    ):
        yield shared_mesh


def status(mesh: Mesh, workload: str, url: str, *words: str) -> int:
    return curl_status(mesh.curl(workload, "-i", "-o", "/dev/null", "-D", "-", *words, url))


def counted(mesh: Mesh, pattern: str) -> int:
    return sum(mesh.stats("caller", pattern).values())


CALLER = WorkloadId("default", "caller")


def under_our_root(mesh: Mesh, trust_domain: str, file: Path) -> ssl.SSLContext:
    """The certificate of a workload of another name for the trust domain, signed with the mesh's own root."""

    async def root() -> Ca:
        (kept,) = await load_roots(DiskKeyStore(mesh.home.ca_dir), "cluster.local")
        return kept.ca

    signer, key = asyncio.run(root()), generate_key()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    template = workload_leaf(
        trust_domain, CALLER, "caller", secrets.randbits(80), signer.validity(time.time(), 3600)
    )
    file.write_text(
        private_pem(key) + to_pem(sign(template, key.public_key(), signer.key, signer.certificate))
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["istio-http/1.1"])
    context.load_cert_chain(file)
    return context


DENIED = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: denied}
spec:
  selector: {matchLabels: {app: web}}
  action: DENY
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/caller]}}]}]
"""


def test_of_other_names_of_the_trust_domain(shop: Mesh, tmp_path: Path) -> None:
    """A peer of an alias is one of ours, to be let in and to be denied; one of a name that is none is a stranger's."""
    known = under_our_root(shop, "old.example", tmp_path / "known.pem")
    stranger = under_our_root(shop, "new.example", tmp_path / "stranger.pem")

    def answer(context: ssl.SSLContext, path: str = "/alias") -> str:
        address = shop.inbound("web", 8081)
        return asyncio.run(knock(address, WorkloadId("default", "web"), 8081, context, path))

    assert answer(known) == REFUSED
    with shop.applied(settings("trustDomainAliases: [old.example]")):
        until(lambda: " 200 " in answer(known), "its sidecar has the mesh's other name")
        assert answer(stranger) == REFUSED
        assert status(shop, "caller", f"{WEB}/own") == 200
        with shop.applied(DENIED):
            assert " 403 " in answer(known)
        assert " 200 " in answer(known)
    until(lambda: answer(known) == REFUSED, "the name is one no more")


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs the command ss, of iproute2")
def test_of_requests_and_connections(shop: Mesh, tmp_path: Path) -> None:
    log = tmp_path / "accesses"
    asked = (
        "outboundTrafficPolicy: {mode: REGISTRY_ONLY}, defaultServiceExportTo: [.], h2UpgradePolicy: UPGRADE,"
        " tcpKeepalive: {time: 5000s}, pathNormalization: {normalization: MERGE_SLASHES},"
        " defaultHttpRetryPolicy: {attempts: 4, retryOn: '503', backoff: 1ms},"
        f" accessLogFile: {log}, accessLogEncoding: JSON,"
        """ accessLogFormat: '{"where": "%REQ(:PATH)%", "how": "%PROTOCOL%"}'"""
    )
    assert status(shop, "shop/far", f"{WEB}/before") == 200
    failing = f"{WEB}/reply?status=503&name=x-a&value=b"
    before = counted(shop, rf"{CLUSTER}.*upstream_rq_retry$")
    with shop.applied(settings(asked)):
        told = json.loads(shop.curl("caller", "--path-as-is", f"{WEB}//merged//path").stdout)
        assert told["path"] == "/merged/path"
        assert status(shop, "caller", "http://nowhere.example/") == 502
        assert status(shop, "shop/far", f"{WEB}/hidden") == 502
        assert counted(shop, rf"{CLUSTER}.*upstream_cx_http2_total$") > 0
        port = shop.inbound("web", 8081)[1]
        timers = shop.output_of(("ss", "-Htno", "state", "established", f"( dport = :{port} )"))
        assert "keepalive,83min" in timers or "keepalive,82min" in timers, timers
        assert status(shop, "caller", failing) == 503
        assert counted(shop, rf"{CLUSTER}.*upstream_rq_retry$") == before + 4
        line = {"where": "/merged/path", "how": "HTTP/2"}
        until(lambda: line in map(json.loads, log.read_text().splitlines()), "web's sidecar wrote its line")
    assert status(shop, "shop/far", f"{WEB}/after") == 200
    told = json.loads(shop.curl("caller", "--path-as-is", f"{WEB}/as//it/is").stdout)
    assert told["path"] == "/as//it/is"


RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec: {hosts: [echo], http: [{directResponse: {status: 418}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, trafficPolicy: {tls: {mode: SIMPLE}}}
"""
OF_THE_ROOT = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: headquarters}
spec:
  host: web.default.svc.cluster.local
  trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}
  exportTo: ["*"]
"""


def test_of_who_sees_rules(shop: Mesh) -> None:
    """`far` sees what `default` has for all, and then the root namespace's alone."""
    asked = (
        "defaultVirtualServiceExportTo: [.], defaultDestinationRuleExportTo: [.], rootNamespace: headquarters,"
        " accessLogEncoding: TEXT"
    )
    with shop.applied(RULES, OF_THE_ROOT):
        assert status(shop, "shop/far", "http://echo.default:8080/") == 418
        assert status(shop, "shop/far", WEB) == 503
        with shop.applied(settings(asked)):
            assert status(shop, "caller", "http://echo:8080/") == 418
            assert status(shop, "shop/far", "http://echo.default:8080/") == 200
            assert status(shop, "caller", WEB) == 503
            assert status(shop, "shop/far", f"{WEB}/as-text") == 200
            log = shop.home.workload_log("default/web", "access")
            until(lambda: '"GET /as-text HTTP/2" 200' in log.read_text(), "a line as Istio writes it")


ENTRIES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: late}}
spec:
  hosts: [late.example]
  resolution: DNS
  ports: [{{number: {port}, name: http, protocol: HTTP}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: full}}
spec:
  hosts: [full.example]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {full}}}]
  endpoints: [{{address: {address}}}]
"""


@contextlib.contextmanager
def accepting_nobody(address: str) -> Iterator[int]:
    """A port whose queue is full: who connects is neither taken nor refused."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind((address, 0))
        server.listen(0)
        place = server.getsockname()
        while True:
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.3)
            try:
                waiting.connect(place)
            except TimeoutError:
                break
        yield place[1]


def uptime(mesh: Mesh, workload: str) -> float:
    """Of the sidecar's Envoy, in its own seconds."""
    path = str(mesh.home.workload_socket(f"default/{workload}", "admin"))
    info = mesh.output_of(("curl", "-sS", "--unix-socket", path, "http://envoy/server_info"))
    return float(json.loads(info)["uptime_current_epoch"].rstrip("s"))


def test_of_names_and_patience(shop: Mesh) -> None:
    address = own_address()
    asked = (
        "connectTimeout: 400ms, dnsRefreshRate: 200ms, protocolDetectionTimeout: 1h, accessLogFile: '',"
        " dnsResolvers: ['{names}']"
    )
    with (
        NameServer({}) as names,
        accepting_nobody(address) as full,
        outside(address) as server,
        shop.applied(
            settings(asked.replace("{names}", names.address)),
            ENTRIES.format(port=server.port, full=full, address=address),
        ),
    ):
        until(lambda: names.asked.count("late.example") > 4, "a name that nobody knows is asked again")
        names.known["late.example"] = [address]
        url = f"http://late.example:{server.port}/named"
        until(lambda: status(shop, "caller", url) == 200, "the name is known in the end")
        assert "/named" in server.seen
        assert status(shop, "caller", "http://full.example/") == 503
        assert counted(shop, r"cluster\.outbound\|80\|\|full.*upstream_cx_connect_timeout$") > 0
        _speaks_late(shop)
        assert status(shop, "caller", "http://echo:8080/unwritten") == 200
    assert status(shop, "caller", "http://echo:8080/written") == 200
    shop.logged("caller", path="/written")
    assert "/unwritten" not in shop.home.workload_log("default/caller", "access").read_text()


def _speaks_late(mesh: Mesh) -> None:
    """A client that says nothing for longer than the usual second is still asked what it speaks."""
    host, _, port = mesh.proxy("caller").removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as tunnel:
        tunnel.sendall(b"CONNECT echo:8080 HTTP/1.1\r\nhost: echo:8080\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += tunnel.recv(4096)
        assert b" 200 " in answer
        began = uptime(mesh, "caller")
        until(lambda: uptime(mesh, "caller") > began + 2, "some time has passed")
        tunnel.sendall(b"GET /late HTTP/1.1\r\nhost: echo:8080\r\nconnection: close\r\n\r\n")
        told = b""
        while chunk := tunnel.recv(4096):
            told += chunk
    assert b'"path": "/late"' in told
    assert b"x-envoy" in told.lower(), "it was taken for the HTTP that it is"
