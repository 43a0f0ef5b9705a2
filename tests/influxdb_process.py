"""Real InfluxDBs (1.x) for tests: on loopback, at a free port, with a folder of their own.

with InfluxdbProcess("mesh") as influxdb:
    influxdb.url, influxdb.query("SELECT sum(count) FROM requests")
    influxdb.kill(); influxdb.start()      # another life with the same data
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tests.ports import held_ports

READY_S: Final = 60.0
USER: Final = ("mixer", "let me in")


def why_no_influxdb() -> str:
    """The reason to skip a test; empty when there is an InfluxDB."""
    return "" if shutil.which("influxd") else "needs the command influxd (Debian: influxdb)"


class InfluxdbProcess:
    """One InfluxDB with a database, which wants USER's name and password."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._top = Path(tempfile.mkdtemp(prefix="influxdb-", dir="/tmp"))
        self._held = contextlib.ExitStack()
        self._port, self._other_port = self._held.enter_context(held_ports(2))
        self._popen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "InfluxdbProcess":
        try:
            self.start()
            user, password = USER
            self._ask(f"CREATE USER \"{user}\" WITH PASSWORD '{password}' WITH ALL PRIVILEGES")
            self._ask(f'CREATE DATABASE "{self._database}"')
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        return (self._top / "log").read_text(errors="replace")

    def start(self) -> None:
        """Returns when it answers."""
        environment = {
            **os.environ,
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{self._other_port}",
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self._port}",
            "INFLUXDB_HTTP_AUTH_ENABLED": "true",
            "INFLUXDB_META_DIR": str(self._top / "meta"),
            "INFLUXDB_DATA_DIR": str(self._top / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self._top / "wal"),
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        }
        (self._top / "none.conf").touch()
        command = ["influxd", "run", "-config", str(self._top / "none.conf")]
        with (self._top / "log").open("ab") as log:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self._popen.poll() is None, f"influxd ended:\n{self.log}"
            assert time.monotonic() < deadline, f"influxd does not answer:\n{self.log}"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=10):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9: what was not on disk is lost, which is nothing that was acknowledged."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait()

    def query(self, query: str) -> list[dict[str, object]]:
        """The rows, by their columns and tags."""
        found = []
        for series in self._ask(query).get("series", ()):
            for values in series["values"]:
                row = dict(zip(series["columns"], values, strict=True))
                found.append({**row, **series.get("tags", {})})
        return found

    def _ask(self, query: str) -> dict[str, Any]:
        form = urllib.parse.urlencode({"q": query, "db": self._database}).encode()
        basic = base64.b64encode(":".join(USER).encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/query", data=form, headers={"authorization": f"Basic {basic}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                answer = json.loads(reply.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error} {error.read().decode()}") from None
        (result,) = answer["results"]
        assert "error" not in result, f"{query}: {result}"
        return dict(result)

    def _end(self) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self.kill()
        self._held.close()
        shutil.rmtree(self._top, ignore_errors=True)
