"""Real Redises for tests: on loopback, at free ports, nothing on disk but their log.

with RedisProcess() as redis:
    redis.address            # 127.0.0.1:PORT
    redis.kill(); redis.start()      # another life at the same port
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.ports import held_ports

READY_S: Final = 60.0


def why_no_redis() -> str:
    """The reason to skip a test; empty when there is a Redis."""
    return "" if shutil.which("redis-server") else "needs the command redis-server (Debian: redis-server)"


class RedisProcess:
    """One Redis; with `password` it asks for that."""

    def __init__(self, password: str = "") -> None:
        self._password = password
        self._top = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
        self._held = contextlib.ExitStack()
        (self._port,) = self._held.enter_context(held_ports(1))
        self._popen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RedisProcess":
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        return (self._top / "log").read_text(errors="replace")

    def start(self) -> None:
        """Returns when it answers."""
        command = [
            "redis-server",
            *("--bind", "127.0.0.1", "--port", str(self._port), "--dir", str(self._top)),
            *("--save", "", "--appendonly", "no", "--daemonize", "no"),
            *(("--requirepass", self._password) if self._password else ()),
        ]
        with (self._top / "log").open("ab") as log:
            self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self._popen.poll() is None, f"redis ended:\n{self.log}"
            assert time.monotonic() < deadline, f"redis does not answer:\n{self.log}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9: all is forgotten."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait()

    def stop_answering(self) -> None:
        """Connections stay, nobody answers."""
        assert self._popen is not None
        self._popen.send_signal(signal.SIGSTOP)

    def answer_again(self) -> None:
        assert self._popen is not None
        self._popen.send_signal(signal.SIGCONT)

    def _end(self) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self.kill()
        self._held.close()
        shutil.rmtree(self._top, ignore_errors=True)
