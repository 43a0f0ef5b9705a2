"""Real Redises for tests; nothing on disk but their log.

with RedisProcess() as redis:
    redis.address            # 127.0.0.1:PORT
"""

import shutil
import socket
from collections.abc import Sequence

from tests.server_process import ServerProcess


def why_no_redis() -> str:
    """The reason to skip a test; empty when there is a Redis."""
    return "" if shutil.which("redis-server") else "needs the command redis-server (Debian: redis-server)"


class RedisProcess(ServerProcess):
    """One Redis; with `password` it asks for that. What it held is gone with each life."""

    NAME = "redis"

    def __init__(self, password: str = "") -> None:
        self._password = password
        super().__init__()

    @property
    def address(self) -> str:
        return self.authority

    def command(self) -> Sequence[str]:
        return [
            "redis-server",
            *("--bind", "127.0.0.1", "--port", str(self.ports[0]), "--dir", str(self.top)),
            *("--save", "", "--appendonly", "no", "--daemonize", "no"),
            *(("--requirepass", self._password) if self._password else ()),
        ]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
