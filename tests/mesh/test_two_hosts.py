"""A control plane and two nodes on three hosts: the bookstore spread over both does what it does on one.

One mesh for the file. `a` may place productpage, details and reviews v1's service; `b` the other reviews, ratings
and the gateway. The check runs on the control plane's host, as a visitor who sees nothing but the gateway's address.
"""

import asyncio
import contextlib
import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import msgspec
import pytest

from proa.core.model.names import WorkloadId
from proa.demo.bookstore import FIRST_FILES, GATEWAY, PLACEMENTS, PROGRAMS, SERVICE_PORT, config_path
from proa.demo.check import Scale, check
from proa.demo.mesh import DemoMesh
from tests.mesh.apps.secure import self_signed
from tests.mesh.bookstore import ALL_PROGRAMS, page_url, start_gateway, start_programs
from tests.mesh.harness import FOREVER, Mesh, curl_status, identity, why_no_envoy
from tests.mesh.namespaces import Host, network

pytestmark = [pytest.mark.mesh, pytest.mark.root]

ON_A: Final = frozenset(("productpage-v1", "details-v1", "reviews-v1"))
SIDECAR_PORTS: Final = range(20_000, 30_000)


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """The three hosts with what runs on each."""

    hosts: dict[str, Host]
    control: Mesh
    a: Mesh
    b: Mesh

    def mesh_of(self, workload: str) -> Mesh:
        return self.a if workload in ON_A else self.b

    @property
    def page_url(self) -> str:
        return page_url(self.b, self.hosts["b"].address)


@pytest.fixture(scope="module")
def spread() -> Iterator[Spread]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    if shutil.which("curl") is None:
        pytest.skip("needs the command curl")
    with contextlib.ExitStack() as stack:
        hosts = dict(stack.enter_context(network("control", "a", "b")))
        own = hosts["control"]
        control = Mesh("serve", f"--listen={own.address}", inside=own.inside)
        stack.enter_context(control)
        nodes = [stack.enter_context(_node(hosts[name], control)) for name in ("a", "b")]
        spread = Spread(hosts=hosts, control=control, a=nodes[0], b=nodes[1])
        _start_bookstore(spread)
        yield spread


def _node(host: Host, control: Mesh) -> Mesh:
    services = {
        "a": {"productpage", "details", "reviews"},
        "b": {"reviews", "ratings", "istio-ingressgateway"},
    }
    allowed = [f"--allow={each}" for each in PLACEMENTS if each.service in services[host.name]]
    token = control.proa("token", "create", "--node", host.name, *allowed, check=True).stdout.strip()
    flags = (f"--token={token}", f"--address={host.address}")
    return Mesh("node", *flags, inside=host.inside, control=control)


def _start_bookstore(spread: Spread) -> None:
    start_programs(spread.a, only=ON_A)
    start_programs(spread.b, only=ALL_PROGRAMS - ON_A)
    start_gateway(spread.b)
    spread.control.apply(*(config_path(file) for file in FIRST_FILES), wait=False)
    for mesh in (spread.a, spread.b):
        mesh.until_healthy(*mesh.workloads)


class SpreadDemo(DemoMesh):
    """The check's context: commands run on the host of the workload."""

    def __init__(self, spread: Spread) -> None:
        super().__init__(spread.control.home)
        self._spread = spread
        self._url = spread.page_url

    @property
    def page_url(self) -> str:
        return self._url

    async def exec(self, workload: WorkloadId, argv: Sequence[str]) -> tuple[int, str, str]:
        mesh = self._spread.mesh_of(workload.name)
        done = await asyncio.to_thread(mesh.exec, str(workload), *argv)
        return done.returncode, done.stdout, done.stderr


def test_the_bookstore_holds_over_two_hosts(spread: Spread) -> None:
    demo = SpreadDemo(spread)
    # How quick pages are is the benchmarks' affair: here another worker's tests have the same cores.
    scale = Scale(few=30, split=1000, delayed_s=(5.5, 30), quick_s=30, load_before_s=2, load_after_s=3)
    rows = spread.hosts["control"].run(lambda: asyncio.run(check(demo, scale=scale)))
    for row in rows:
        print(f"{'ok' if row.ok else 'FAILED':6} {row.name:46} {row.seconds:5.1f} s  {row.seen}")
    assert [(row.name, row.seen) for row in rows if not row.ok] == []
    assert len(rows) == 12
    # Calls from host to host, in both directions, came under the callers' identities.
    spread.a.logged(
        "productpage-v1", direction="inbound", peer=identity(GATEWAY.account, GATEWAY.id.namespace)
    )
    spread.b.logged("reviews-v3", direction="inbound", peer=identity("bookinfo-productpage"))
    spread.b.logged("ratings-v1", direction="inbound", peer=identity("bookinfo-reviews"))


def test_each_host_serves_at_its_own_address(spread: Spread) -> None:
    found = {endpoint.workload.split("/")[1]: endpoint.address for endpoint in spread.control.endpoints()}
    expected = {
        program.id.name: spread.hosts["a" if program.id.name in ON_A else "b"].address for program in PROGRAMS
    }
    assert found == expected
    assert all(endpoint.port in SIDECAR_PORTS for endpoint in spread.control.endpoints())


def test_a_host_places_only_what_its_token_says(spread: Spread) -> None:
    program = spread.a.run(
        "ratings-a", FOREVER, "--service=ratings", "--account=bookinfo-ratings", port="9080", wait=False
    )
    assert program.wait() != 0
    assert "ratings" in program.output
    assert "may not" in program.output or "not place" in program.output, program.output
    del spread.a.workloads["ratings-a"]
    assert "ratings-a" not in str(spread.control.endpoints())


# Addresses that the mesh does not know


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"outside saw {self.path}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def outside(host: Host, *, tls: bool) -> Iterator[str]:
    """A server of the host that is no part of the mesh; its `address:port`."""
    server = host.run(lambda: ThreadingHTTPServer((host.address, 0), _Answers))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(self_signed(Path(folder)))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{host.address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_unknown_addresses_are_reached_by_request_and_by_tunnel(spread: Spread) -> None:
    host = spread.hosts["control"]
    with outside(host, tls=False) as plain, outside(host, tls=True) as secure:
        for words in (
            (f"http://{plain}/absolute",),
            ("-p", f"http://{plain}/tunnel"),
            ("-k", f"https://{secure}/tls"),
        ):
            done = spread.a.curl("productpage-v1", "-i", *words)
            assert curl_status(done) == 200, (words, done)
            assert "outside saw /" in done.stdout


def test_no_sidecar_leads_to_another_sidecars_port(spread: Spread) -> None:
    """Neither on the other host nor on the own one, nor to this host's loopback; whatever is spoken."""
    targets = [spread.control.inbound(name, SERVICE_PORT) for name in ("ratings-v1", "details-v1")]
    targets.append(("127.0.0.1", targets[1][1]))
    for address, port in targets:
        for words in ((), ("-p",)):
            url = f"http://{address}:{port}/health"
            done = spread.a.curl("productpage-v1", "--noproxy", "", "-i", *words, url)
            assert curl_status(done) == 403, (words, url, done)
        done = spread.a.curl("productpage-v1", "--noproxy", "", "-k", f"https://{address}:{port}/health")
        assert "CONNECT tunnel failed, response 403" in done.stderr, done
