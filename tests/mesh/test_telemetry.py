"""What proxies count without any rule, as a scraper of the node agent sees it, and what a Telemetry changes of it.

`metered` calls the shared `echo` and, by a local port, `raw`, a program of lines.
"""

import contextlib
import http.client
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from proa.core.sidecar.standard_metrics import SECONDS
from tests.mesh.harness import FOREVER, Mesh, app, until

pytestmark = pytest.mark.mesh

ECHO = "http://echo:8080"
HOST = {
    "destination_service": "echo.default.svc.cluster.local",
    "destination_service_name": "echo",
    "destination_service_namespace": "default",
}
CALLER = {
    "source_workload": "metered",
    "source_workload_namespace": "default",
    "source_principal": "spiffe://cluster.local/ns/default/sa/metered",
    "source_app": "metered",
    "source_version": "v7",
    "source_canonical_service": "metered",
    "source_canonical_revision": "v7",
}
SERVER = {
    "destination_workload": "echo",
    "destination_workload_namespace": "default",
    "destination_principal": "spiffe://cluster.local/ns/default/sa/echo",
    "destination_app": "echo",
    "destination_version": "unknown",
}
ENDS = (
    {"reporter": "source", "connection_security_policy": "unknown"},
    {"reporter": "destination", "connection_security_policy": "mutual_tls"},
)


@pytest.fixture(scope="module")
def metered(shared_mesh: Mesh) -> Iterator[Mesh]:
    mesh = shared_mesh
    options = ("--upstream=raw:9000", "--label=app=metered", "--label=version=v7")
    with (
        mesh.running("raw", app("named_lines"), port="9000:auto/tcp"),
        mesh.running("metered", FOREVER, *options),
    ):
        yield mesh


def ask(mesh: Mesh, method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> int:
    """The status of a request through the sidecar of `metered`."""
    proxy = urlsplit(mesh.proxy("metered"))
    line = http.client.HTTPConnection(str(proxy.hostname), proxy.port, timeout=30)
    with contextlib.closing(line):
        line.request(method, url, body=body, headers={**headers, "host": urlsplit(url).netloc})
        answer = line.getresponse()
        answer.read()
        return answer.status


def counted(mesh: Mesh, name: str, wanted: float, **labels: str) -> None:
    """Counters tell of what has ended; who calls may hear of it before."""
    until(lambda: mesh.metric(name, **labels) == wanted, f"{name} {labels} is {wanted}")


def test_requests_are_counted_exactly_at_both_ends(metered: Mesh) -> None:
    reply = f"{ECHO}/reply?name=x-a&value=b&status="
    calls = [f"{ECHO}/one", f"{ECHO}/two", f"{ECHO}/three", f"{reply}418", f"{reply}418"]
    for url in calls:
        ask(metered, "POST", url, body=b"0123456789")
    url = f"{ECHO}/reply?status=200&name=grpc-status&value=5"
    ask(metered, "POST", url, {"content-type": "application/grpc"})
    facts = {**CALLER, **SERVER, **HOST, "response_flags": "-"}
    for end in ENDS:
        http = {**facts, **end, "request_protocol": "http", "grpc_response_status": ""}
        counted(metered, "istio_requests_total", 3, **http, response_code="200")
        counted(metered, "istio_requests_total", 2, **http, response_code="418")
        called = {**facts, **end, "request_protocol": "grpc", "grpc_response_status": "5"}
        counted(metered, "istio_requests_total", 1, **called, response_code="200")
        for name in ("request_duration_milliseconds", "request_bytes", "response_bytes"):
            counted(metered, f"istio_{name}_count", 2, **http, response_code="418")
        # What was sent has ten bytes: 2018's bounds are powers of ten.
        counted(metered, "istio_request_bytes_bucket", 2, **http, response_code="418", le="100")
        counted(metered, "istio_request_bytes_bucket", 0, **http, response_code="418", le="1")


def test_callers_make_no_series(metered: Mesh) -> None:
    """Whatever a request says of itself, it is one of those that there are."""

    def series() -> set[frozenset[tuple[str, str]]]:
        return {
            frozenset(each.labels.items())
            for each in metered.metrics()
            if each.name == "istio_requests_total" and each.labels["source_workload"] == "metered"
        }

    ask(metered, "GET", f"{ECHO}/first")
    until(lambda: any(("response_code", "200") in each for each in series()), "it was counted")
    known, total = series(), metered.metric("istio_requests_total", **CALLER, reporter="destination")
    for number, method in enumerate(("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "POST", "GET", "PUT")):
        said = dict.fromkeys(
            ("x-request-id", "user-agent", "source_app", "x-envoy-peer-metadata"), f"v{number}"
        )
        forged = {"x-forwarded-client-cert": f"URI=spiffe://x/{number}", "grpc-status": str(number)}
        ask(metered, method, f"http://echo.default:8080/p{number}?q={number}", {**said, **forged})
    counted(metered, "istio_requests_total", total + 8, **CALLER, reporter="destination")
    assert series() == known


def test_streams_are_counted_when_they_stand_and_when_they_end(metered: Mesh) -> None:
    host, _, port = metered.environment("metered")["PROA_UPSTREAM_RAW"].rpartition(":")
    facts = {
        **CALLER,
        "destination_workload": "raw",
        "request_protocol": "tcp",
        "destination_service_name": "raw",
    }
    with (
        socket.create_connection((host, int(port)), timeout=20) as stream,
        stream.makefile("rb") as file,
    ):
        stream.sendall(b"hello\n")
        answer = file.readline()
        assert answer
        for end in ENDS:
            counted(metered, "istio_tcp_connections_opened_total", 1, **facts, **end)
            counted(metered, "istio_tcp_connections_closed_total", 0, **facts, **end)
    for end in ENDS:
        counted(metered, "istio_tcp_connections_closed_total", 1, **facts, **end)
        counted(metered, "istio_tcp_received_bytes_total", len(b"hello\n"), **facts, **end)
        counted(metered, "istio_tcp_sent_bytes_total", len(answer), **facts, **end)
        counted(metered, "istio_tcp_connections_opened_total", 1, **facts, **end)


def test_an_envoy_that_is_stuck_is_left_out(metered: Mesh) -> None:
    pid = metered.summary("metered").envoy_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        page = metered.metrics()
    finally:
        os.kill(pid, signal.SIGCONT)
    scraped = {each.labels["workload"]: each.value for each in page if each.name == "proa_sidecar_scraped"}
    assert scraped["metered"] == 0
    assert scraped["echo"] == scraped["caller"] == 1
    assert any(each.labels.get("reporter") == "destination" for each in page)


def test_one_sidecar_alone_and_the_names_of_2018(metered: Mesh) -> None:
    ask(metered, "GET", f"{ECHO}/old")
    until(lambda: metered.metric("istio_request_duration_milliseconds_count", **CALLER) > 0, "it was counted")
    page = metered.metrics("workload=metered&names=2018")
    assert {each.labels["reporter"] for each in page if each.name == f"{SECONDS}_count"} == {"source"}
    bounds = {each.labels["le"] for each in page if each.name == f"{SECONDS}_bucket"}
    assert bounds == {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"}
    assert not {each.labels.get("workload") for each in page} & {"echo", "caller"}
