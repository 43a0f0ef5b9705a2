"""Real Prometheuses for tests: on loopback, at a free port, with a folder of their own.

with PrometheusProcess({"mixer": "127.0.0.1:PORT/mixer"}) as prometheus:
    prometheus.wait_for('istio_requests_total{response_code="200"}', {"": 3.0})
"""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.ports import held_ports

READY_S: Final = 60.0


def why_no_prometheus() -> str:
    """The reason to skip a test; empty when there is a Prometheus."""
    return "" if shutil.which("prometheus") else "needs the command prometheus (Debian: prometheus)"


class PrometheusProcess:
    """`targets`: what to scrape, `host:port/path` by the name of the job."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._top = Path(tempfile.mkdtemp(prefix="prometheus-", dir="/tmp"))
        self._held = contextlib.ExitStack()
        (self._port,) = self._held.enter_context(held_ports(1))
        self._popen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PrometheusProcess":
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def log(self) -> str:
        return (self._top / "log").read_text(errors="replace")

    def _start(self) -> None:
        jobs = []
        for name, target in self._targets.items():
            address, _, path = target.partition("/")
            where = {"static_configs": [{"targets": [address]}], "metrics_path": f"/{path}"}
            jobs.append({"job_name": name, "scrape_interval": "500ms", "scrape_timeout": "500ms", **where})
        config = self._top / "prometheus.yml"
        config.write_text(json.dumps({"scrape_configs": jobs}))
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={self._top / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._top / "log").open("ab") as log:
            self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._until(lambda: self._get("/-/ready") is not None, "it is not ready")

    def query(self, query: str) -> Mapping[str, float]:
        """The newest value of each series that the query finds, by its labels as `a=b,c=d`, in their order, without the
        scraper's own."""
        answer = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        assert answer is not None, self.log
        found = {}
        for each in json.loads(answer)["data"]["result"]:
            labels = {
                name: text
                for name, text in each["metric"].items()
                if name not in ("__name__", "instance", "job")
            }
            found[",".join(f"{name}={text}" for name, text in sorted(labels.items()))] = float(
                each["value"][1]
            )
        return found

    def wait_for(self, query: str, wanted: Mapping[str, float]) -> None:
        """Until it finds just that."""
        self._until(lambda: self.query(query) == wanted, f"{query} is not {wanted}")

    def _until(self, question: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_S
        while not question():
            assert self._popen is not None
            assert self._popen.poll() is None, f"prometheus ended:\n{self.log}"
            assert time.monotonic() < deadline, f"{what}; {self._get('/api/v1/targets')}\n{self.log}"
            time.sleep(0.05)

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as reply:
                text: str = reply.read().decode()
                return text
        except OSError:
            return None

    def _end(self) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        self._held.close()
        shutil.rmtree(self._top, ignore_errors=True)
