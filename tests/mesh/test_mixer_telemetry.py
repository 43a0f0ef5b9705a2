"""The whole telemetry that came with Mixer of 2018, in a mesh; and handlers that take each other's place under load.

Connections between proxies that stood when the first rule came tell of nothing, so who is counted exactly starts to
call when the rules are there.
"""

import json
import socket
import urllib.request
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.test_examples import ROOT, examples_in
from tests.influxdb_process import USER, InfluxdbProcess, why_no_influxdb
from tests.mesh.harness import FOREVER, Mesh, app, until
from tests.mesh.load import ECHO, Load
from tests.mesh.whole_requests import send_whole

pytestmark = pytest.mark.mesh

ENDS = {
    f"{end}_{name}": value
    for end, own in (
        ("source", ("metered", "cluster.local/ns/default/sa/metered", "metered", "default", "v7")),
        ("destination", ("echo", "cluster.local/ns/default/sa/echo", "echo", "default", "unknown")),
    )
    for name, value in zip(
        ("app", "principal", "workload", "workload_namespace", "version"), own, strict=True
    )
}
CALL = {
    **ENDS,
    "destination_service": "echo.default.svc.cluster.local",
    "destination_service_name": "echo",
    "destination_service_namespace": "default",
    "request_protocol": "http",
    "response_code": "418",
}
TELLERS = (
    {"reporter": "source", "connection_security_policy": "unknown"},
    {"reporter": "destination", "connection_security_policy": "mutual_tls"},
)


def page_of(name: str) -> str:
    """All objects of a page of the docs."""
    page = ROOT / "docs" / "adapters" / name
    texts = (each.text for each in examples_in(page.read_text(), name) if each.language == "yaml")
    return "\n---\n".join(texts)


def page(mesh: Mesh) -> str:
    address = json.loads(mesh.home.endpoints.read_text())["metrics"]
    with urllib.request.urlopen(f"http://{address}/mixer", timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def counted(mesh: Mesh, name: str, **labels: str) -> float:
    """On Mixer's page, in all series of that name which have these labels. (The parser gives every counter the ending
    of today's.)"""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page(mesh))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def until_counted(mesh: Mesh, wanted: float, name: str, **labels: str) -> None:
    until(lambda: counted(mesh, name, **labels) == wanted, f"{name} {labels} is {wanted}")


def ask(mesh: Mesh, count: int, path: str = "/reply?name=x-a&value=b&status=418") -> None:
    """On one connection."""
    proxy = urlsplit(mesh.proxy("metered"))
    with socket.create_connection((str(proxy.hostname), proxy.port or 0), timeout=30) as line:
        for _ in range(count):
            send_whole(line, "POST", f"{ECHO}{path}", body=b"0123456789")


def test_the_telemetry_of_2018_is_on_mixers_page(mesh: Mesh) -> None:
    """`metered` calls the shared `echo` and, by a local port, `raw`, a program of lines."""
    options = ("--upstream=raw:9000", "--label=app=metered", "--label=version=v7")
    with (
        mesh.running("raw", app("named_lines"), port="9000:auto/tcp"),
        mesh.applied(page_of("default-telemetry.md"), page_of("prometheus.md")),
        mesh.running("metered", FOREVER, *options),
    ):
        host, _, port = mesh.environment("metered")["PROA_UPSTREAM_RAW"].rpartition(":")
        ask(mesh, 5)
        with socket.create_connection((host, int(port)), timeout=20) as stream:
            stream.sendall(b"hello\n")
            assert stream.makefile("rb").readline()
        for teller in TELLERS:
            labels = {**CALL, **teller}
            until_counted(mesh, 5, "istio_requests_total", **labels)
            until_counted(mesh, 5, "istio_request_duration_seconds_count", **labels)
            # The request's body has ten bytes: 2018's bounds are powers of ten.
            until_counted(mesh, 5, "istio_request_bytes_bucket", **labels, le="10")
            until_counted(mesh, 0, "istio_request_bytes_bucket", **labels, le="1")
            tcp = {"destination_workload": "raw", "source_workload": "metered", **teller}
            until_counted(mesh, 6, "istio_tcp_received_bytes_total", **tcp)
        # The task: each request counts twice, at either end.
        for reporter in ("client", "server"):
            labels = {"reporter": reporter, "source": "metered", "destination": "echo"}
            until_counted(mesh, 10, "istio_double_request_count_total", **labels, message="twice the fun!")


def at_least(counted: Callable[[], float], wanted: float) -> bool:
    return counted() >= wanted


COUNTING = """
apiVersion: config.istio.io/v1alpha2
kind: metric
metadata: {{name: swapped}}
spec:
  value: "1"
  dimensions: {{code: response.code | 0}}
---
apiVersion: config.istio.io/v1alpha2
kind: prometheus
metadata: {{name: one}}
spec:
  metrics:
  - {{name: swapped_total, instance_name: swapped.metric.default, kind: COUNTER, label_names: [code]}}
---
apiVersion: config.istio.io/v1alpha2
kind: influxdb
metadata: {{name: other}}
spec: {{url: "{url}", database: mesh, user: {user}, password: {password}}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: swapped}}
spec:
  match: source.workload.name == "loader" && context.reporter.kind == "inbound"
  actions:
  - handler: {handler}
    instances: [swapped.metric]
"""


def test_prometheus_and_influxdb_take_each_others_place_under_load(mesh: Mesh) -> None:
    """Each request of the load is counted by one of the two, once."""
    if reason := why_no_influxdb():
        pytest.skip(reason)
    with InfluxdbProcess("mesh") as influxdb:
        user, password = USER

        def objects(handler: str) -> str:
            quoted = json.dumps(password)
            return COUNTING.format(url=influxdb.url, user=user, password=quoted, handler=handler)

        def stored() -> float:
            rows = influxdb.query("SELECT sum(count) AS count FROM swapped")
            return float(str(rows[0]["count"])) if rows else 0.0

        def shown() -> float:
            return counted(mesh, "istio_swapped_total")

        mesh.apply(objects("one.prometheus"))
        try:
            with mesh.running("loader"):
                with Load(mesh, "loader", f"{ECHO}/there") as load:
                    for told, successor in (
                        (shown, "other.influxdb"),
                        (stored, "one.prometheus"),
                        (shown, "other.influxdb"),
                        (stored, "other.influxdb"),
                    ):
                        enough = told() + 25
                        until(partial(at_least, told, enough), "the one in force counts")
                        mesh.apply(objects(successor))
                assert load.result is not None
                assert load.result.failures == ()
                total = load.result.sent
                until(lambda: shown() + stored() >= total, f"{total} requests are counted")
                assert shown() + stored() == total
        finally:
            mesh.delete(objects("other.influxdb"))
