"""Real Prometheuses for tests.

with PrometheusProcess({"mixer": "127.0.0.1:PORT/mixer"}) as prometheus:
    prometheus.wait_for('istio_requests_total{response_code="200"}', {"": 3.0})
"""

import json
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence

from tests.server_process import READY_S, ServerProcess


def why_no_prometheus() -> str:
    """The reason to skip a test; empty when there is a Prometheus."""
    return "" if shutil.which("prometheus") else "needs the command prometheus (Debian: prometheus)"


class PrometheusProcess(ServerProcess):
    """`targets`: what to scrape, `host:port/path` by the name of the job."""

    NAME = "prometheus"

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        super().__init__()

    def command(self) -> Sequence[str]:
        jobs = []
        for name, target in self._targets.items():
            address, _, path = target.partition("/")
            where = {"static_configs": [{"targets": [address]}], "metrics_path": f"/{path}"}
            jobs.append({"job_name": name, "scrape_interval": "500ms", "scrape_timeout": "500ms", **where})
        config = self.top / "prometheus.yml"
        config.write_text(json.dumps({"scrape_configs": jobs}))
        return [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={self.top / 'data'}",
            f"--web.listen-address={self.authority}",
        ]

    def answers(self) -> bool:
        return self._get("/-/ready") is not None

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
            assert time.monotonic() < deadline, f"{what}; {self._get('/api/v1/targets')}\n{self.log}"
            time.sleep(0.05)

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://{self.authority}{path}", timeout=10) as reply:
                text: str = reply.read().decode()
                return text
        except OSError:
            return None
