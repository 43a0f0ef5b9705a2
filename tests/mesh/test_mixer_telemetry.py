"""What Mixer's rules count and log in a real mesh: the tasks of 2018 on metrics and logs, the telemetry that came with
Mixer, and handlers that are changed under load.

`metered` calls the shared `echo` and, by a local port, `raw`, a program of lines.
"""

import http.client
import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.test_examples import ROOT, examples_in
from tests.influxdb_process import USER, InfluxdbProcess, why_no_influxdb
from tests.mesh.harness import FOREVER, Mesh, app, until
from tests.mesh.load import ECHO, Load

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


@pytest.fixture(scope="module")
def metered(shared_mesh: Mesh) -> Iterator[Mesh]:
    options = ("--upstream=raw:9000", "--label=app=metered", "--label=version=v7")
    with (
        shared_mesh.running("raw", app("named_lines"), port="9000:auto/tcp"),
        shared_mesh.running("metered", FOREVER, *options),
    ):
        yield shared_mesh


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
    line = http.client.HTTPConnection(str(proxy.hostname), proxy.port, timeout=30)
    for _ in range(count):
        line.request("POST", f"{ECHO}{path}", body=b"0123456789")
        line.getresponse().read()
    line.close()


def test_the_telemetry_of_2018_is_on_mixers_page(metered: Mesh) -> None:
    host, _, port = metered.environment("metered")["PROA_UPSTREAM_RAW"].rpartition(":")
    with metered.applied(page_of("default-telemetry.md"), page_of("prometheus.md")):
        ask(metered, 5)
        with socket.create_connection((host, int(port)), timeout=20) as stream:
            stream.sendall(b"hello\n")
            assert stream.makefile("rb").readline()
        for teller in TELLERS:
            labels = {**CALL, **teller}
            until_counted(metered, 5, "istio_requests_total", **labels)
            until_counted(metered, 5, "istio_request_duration_seconds_count", **labels)
            # The request's body has ten bytes: 2018's bounds are powers of ten.
            until_counted(metered, 5, "istio_request_bytes_bucket", **labels, le="10")
            until_counted(metered, 0, "istio_request_bytes_bucket", **labels, le="1")
            tcp = {"destination_workload": "raw", "source_workload": "metered", **teller}
            until_counted(metered, 6, "istio_tcp_received_bytes_total", **tcp)
        # The task: each request counts twice, at either end.
        for reporter in ("client", "server"):
            labels = {"reporter": reporter, "source": "metered", "destination": "echo"}
            until_counted(metered, 10, "istio_double_request_count_total", **labels, message="twice the fun!")


def test_the_task_of_2018_that_logs(metered: Mesh, tmp_path: Path) -> None:
    """Into a file, for the control plane's output is the test's own."""
    path = tmp_path / "mixer.log"
    objects = page_of("stdio.md").replace("outputAsJson: true", f"logStream: FILE\n  outputPath: {path}")
    with metered.applied(objects):
        ask(metered, 2)

        def lines() -> list[dict[str, object]]:
            written = path.read_text().splitlines() if path.exists() else []
            return [line for line in map(json.loads, written) if line["destination"] == "echo"]

        until(lambda: len(lines()) == 4, f"four lines in {path}")
    for line in lines():
        assert (line["level"], line["instance"]) == ("warn", "newlog.logentry.istio-system")
        assert (line["source"], line["user"]) == ("metered", "cluster.local/ns/default/sa/metered")
        assert line["responseCode"] == 418
        assert str(line["latency"]).endswith("s")
        assert list(line)[:3] == ["level", "time", "instance"]


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
  match: destination.labels["app"] == "echo" && context.reporter.kind == "inbound"
  actions:
  - handler: {handler}
    instances: [swapped.metric]
"""


def test_prometheus_and_influxdb_take_each_others_place_under_load(metered: Mesh) -> None:
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
            return counted(metered, "istio_swapped_total")

        metered.apply(objects("one.prometheus"))
        try:
            with Load(metered, "metered", f"{ECHO}/there") as load:
                for told, successor in (
                    (shown, "other.influxdb"),
                    (stored, "one.prometheus"),
                    (shown, "other.influxdb"),
                    (stored, "other.influxdb"),
                ):
                    before = told()
                    until(lambda: told() >= before + 25, "the one in force counts")  # noqa: B023
                    metered.apply(objects(successor))
            assert load.result is not None
            assert load.result.failures == ()
            total = load.result.sent
            until(lambda: shown() + stored() >= total, f"{total} requests are counted")
            assert shown() + stored() == total
        finally:
            metered.delete(objects("other.influxdb"))
