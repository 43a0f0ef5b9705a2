"""Real InfluxDBs (1.x) for tests.

with InfluxdbProcess("mesh") as influxdb:
    influxdb.url, influxdb.query("SELECT sum(count) FROM requests")
    influxdb.kill(); influxdb.start()      # another life with the same data
"""

import base64
import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from tests.server_process import ServerProcess

USER: Final = ("mixer", "let me in")


def why_no_influxdb() -> str:
    """The reason to skip a test; empty when there is an InfluxDB."""
    return "" if shutil.which("influxd") else "needs the command influxd (Debian: influxdb)"


class InfluxdbProcess(ServerProcess):
    """One InfluxDB with a database, which wants USER's name and password. What it acknowledged outlives it."""

    NAME, PORTS = "influxdb", 2

    def __init__(self, database: str) -> None:
        self._database = database
        super().__init__()

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            user, password = USER
            self._ask(f"CREATE USER \"{user}\" WITH PASSWORD '{password}' WITH ALL PRIVILEGES")
            self._ask(f'CREATE DATABASE "{self._database}"')
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{self.ports[1]}",
            "INFLUXDB_HTTP_BIND_ADDRESS": self.authority,
            "INFLUXDB_HTTP_AUTH_ENABLED": "true",
            "INFLUXDB_META_DIR": str(self.top / "meta"),
            "INFLUXDB_DATA_DIR": str(self.top / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self.top / "wal"),
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        }

    def command(self) -> Sequence[str]:
        (self.top / "none.conf").touch()
        return ["influxd", "run", "-config", str(self.top / "none.conf")]

    def answers(self) -> bool:
        with urllib.request.urlopen(f"{self.url}/ping", timeout=10):
            return True

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
