"""Reports of proxies to handlers of the control plane: the tasks of 2018 about metrics, logs and TCP.

`reporter` calls the shared `echo` and, by a local port, `told`, a program of lines.
"""

import contextlib
import http.client
import json
import socket
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from textwrap import indent
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.mesh.harness import FOREVER, Mesh, app, until

pytestmark = pytest.mark.mesh

ECHO = "http://echo:8080"

# The metrics task of 2018, but for its dimensions' names.
DOUBLE = """
apiVersion: config.istio.io/v1alpha2
kind: metric
metadata: {name: doublerequestcount, namespace: istio-system}
spec:
  value: "2"
  dimensions:
    reporter: conditional((context.reporter.kind | "inbound") == "outbound", "client", "server")
    source: source.workload.name | "unknown"
    destination: destination.workload.name | "unknown"
    message: '"twice the fun!"'
  monitored_resource_type: '"UNSPECIFIED"'
---
apiVersion: config.istio.io/v1alpha2
kind: prometheus
metadata: {name: doublehandler, namespace: istio-system}
spec:
  metrics:
  - name: double_request_count
    instance_name: doublerequestcount.metric.istio-system
    kind: COUNTER
    label_names: [reporter, source, destination, message]
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: doubleprom, namespace: istio-system}
spec:
  match: context.protocol == "http"
  actions:
  - handler: doublehandler.prometheus
    instances: [doublerequestcount.metric]
"""


@pytest.fixture(scope="module")
def reporting(shared_mesh: Mesh) -> Iterator[Mesh]:
    mesh = shared_mesh
    options = ("--upstream=told:9000", "--label=app=reporter", "--label=version=v7")
    with (
        mesh.running("told", app("named_lines"), port="9000:auto/tcp"),
        mesh.running("reporter", FOREVER, *options),
    ):
        yield mesh


def ask(mesh: Mesh, url: str, headers: Mapping[str, str] = {}, number: int = 1) -> list[int]:
    """The statuses of requests through the sidecar of `reporter`, on one connection."""
    proxy = urlsplit(mesh.proxy("reporter"))
    line = http.client.HTTPConnection(str(proxy.hostname), proxy.port, timeout=30)
    statuses = []
    with contextlib.closing(line):
        for _ in range(number):
            line.request("GET", url, headers={**headers, "host": urlsplit(url).netloc})
            answer = line.getresponse()
            answer.read()
            statuses.append(answer.status)
    return statuses


def page(mesh: Mesh, path: str) -> list[tuple[str, dict[str, str], float]]:
    """A page of the control plane's metrics port, as Prometheus' own parser reads it."""
    address = json.loads((mesh.home.path / "control-plane.json").read_text())["metrics"]
    with urllib.request.urlopen(f"http://{address}/{path}", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return [(each.name, each.labels, each.value) for family in families for each in family.samples]


def total(mesh: Mesh, path: str, name: str, **labels: str) -> float:
    found = (
        value for each, known, value in page(mesh, path) if each == name and labels.items() <= known.items()
    )
    return sum(found)


def at_least(counted: Callable[[], float], wanted: float) -> bool:
    return counted() >= wanted


def test_every_request_counts_twice_at_both_ends(reporting: Mesh) -> None:
    with reporting.applied(DOUBLE):
        assert ask(reporting, f"{ECHO}/twice", number=7) == [200] * 7
        for reporter in ("client", "server"):
            facts = {"source": "reporter", "destination": "echo", "message": "twice the fun!"}
            counted = partial(
                total, reporting, "mixer", "istio_double_request_count_total", reporter=reporter, **facts
            )
            until(partial(at_least, counted, 14), f"the {reporter} reported")
            assert counted() == 14


def lines_to(file: Path, name: str, variables: str, match: str, more: str = "") -> str:
    """The logs task of 2018, into a file."""
    return f"""
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {{name: {name}, namespace: istio-system}}
spec:
  severity: '"warning"'
  timestamp: request.time | context.time
  variables:
    source: source.labels["app"] | source.workload.name | "unknown"
    user: source.user | "unknown"
    destination: destination.labels["app"] | destination.workload.name | "unknown"
    service: destination.service.name | "unknown"
    kind: context.reporter.kind
{indent(variables, "    ")}
  monitored_resource_type: '"UNSPECIFIED"'
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {{name: {name}, namespace: istio-system}}
spec:
  severity_levels: {{warning: 1}}
  outputAsJson: true
  logStream: FILE
  outputPath: {file}
{indent(more, "  ")}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: {name}, namespace: istio-system}}
spec:
  match: {match}
  actions:
  - handler: {name}.stdio
    instances: [{name}.logentry]
"""


def lines_of(file: Path) -> list[dict[str, object]]:
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


NEWLOG = """
responseCode: response.code | 0
responseSize: response.size | 0
latency: response.duration | "0ms"
path: request.path
asked: request.headers["x-asked"] | "nothing"
told: response.headers["x-told"] | "nothing"
mtls: connection.mtls | false
"""


def test_every_request_is_a_line_at_both_ends(reporting: Mesh, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    match = 'context.protocol == "http" && source.name == "reporter"'
    facts = {
        "level": "warn",
        "source": "reporter",
        "user": "cluster.local/ns/default/sa/reporter",
        "destination": "echo",
        "service": "echo",
        "responseCode": 418,
        "responseSize": len("as told"),
        "path": "/reply?status=418&name=x-told&value=tea",
        "asked": "for tea",
        "told": "tea",
        "mtls": True,
    }

    def both_told() -> bool:
        """A connection between the proxies that stood before tells as it did until it is drained."""
        url = f"{ECHO}/reply?status=418&name=x-told&value=tea"
        assert ask(reporting, url, {"x-asked": "for tea"}) == [418]
        told = [line for line in lines_of(file) if facts.items() <= line.items()]
        return {line["kind"] for line in told} == {"inbound", "outbound"}

    with reporting.applied(lines_to(file, "newlog", NEWLOG, match)):
        until(both_told, "both proxies reported")
    assert all(line["time"] and line["latency"] for line in lines_of(file))


CARRIED = """
event: connection.event
received: connection.received.bytes
sent: connection.sent.bytes
receivedTotal: connection.received.bytes_total
sentTotal: connection.sent.bytes_total
duration: connection.duration | "0s"
id: connection.id
"""


def test_connections_are_told_when_they_stand_and_when_they_end(reporting: Mesh, tmp_path: Path) -> None:
    """What they carried adds up, and no byte counts twice."""
    file = tmp_path / "connections"
    match = 'context.protocol == "tcp" && source.name == "reporter"'
    host, _, port = reporting.environment("reporter")["PROA_UPSTREAM_TOLD"].rpartition(":")
    with reporting.applied(lines_to(file, "carried", CARRIED, match)):
        with (
            socket.create_connection((host, int(port)), timeout=20) as stream,
            stream.makefile("rb") as answers,
        ):
            stream.sendall(b"hello\n")
            answer = answers.readline()
            until(lambda: len(lines_of(file)) >= 2, "both proxies told that it is open")
            assert {line["event"] for line in lines_of(file)} == {"open"}
            stream.sendall(b"again\n")
            answer += answers.readline()
        until(
            lambda: sum(line["event"] == "close" for line in lines_of(file)) == 2,
            "both proxies told that it ended",
        )
    for kind in ("inbound", "outbound"):
        told = [line for line in lines_of(file) if line["kind"] == kind]
        assert len({line["id"] for line in told}) == 1
        assert {line["destination"] for line in told} == {"told"}
        assert sum(int(str(line["received"])) for line in told) == len(b"hello\nagain\n")
        assert sum(int(str(line["sent"])) for line in told) == len(answer)
        assert told[-1]["receivedTotal"] == len(b"hello\nagain\n")
        assert told[-1]["sentTotal"] == len(answer)


# -- Changes while requests come --


class Load:
    """Requests of `reporter`, one after the other, from the beginning of a block to its end."""

    def __init__(self, mesh: Mesh, url: str) -> None:
        self._mesh, self._url = mesh, url
        self._is_over = threading.Event()
        self.statuses: list[int] = []

    def __enter__(self) -> "Load":
        self._thread = threading.Thread(target=self._go)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _go(self) -> None:
        while not self._is_over.is_set():
            self.statuses += ask(self._mesh, self._url, number=20)

    def until(self, more: int) -> None:
        wanted = len(self.statuses) + more
        until(lambda: len(self.statuses) >= wanted, f"{more} more requests")


def test_a_handler_whose_parameters_change_loses_no_report(reporting: Mesh, tmp_path: Path) -> None:
    file = tmp_path / "changing"
    match = 'request.path == "/changing" && source.name == "reporter"'
    forms = [lines_to(file, "changing", "", match, f"metricLevel: {level}") for level in ("INFO", "ERROR")]
    with reporting.applied(forms[0]):
        with Load(reporting, f"{ECHO}/changing") as load:
            for number in range(6):
                load.until(20)
                reporting.apply(forms[(number + 1) % 2])
            load.until(20)
        assert set(load.statuses) == {200}
        dropped = reporting.stats("reporter", "access_logs.*dropped")
        assert dropped == {"access_logs.grpc_access_log.logs_dropped": 0}, "the proxy counts what it drops"
        until(lambda: len(lines_of(file)) >= 2 * len(load.statuses), "all are reported")
        kinds = Counter(line["kind"] for line in lines_of(file))
        assert kinds == {"inbound": len(load.statuses), "outbound": len(load.statuses)}
