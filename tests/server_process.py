"""Real servers for tests: on loopback, at ports that are held, in a directory that goes with them.

class RedisProcess(ServerProcess):
    NAME, PORTS = "redis", 1

    def command(self) -> Sequence[str]: ...
    def answers(self) -> bool: ...

with RedisProcess() as redis:
    redis.authority                  # 127.0.0.1:PORT
    redis.kill(); redis.start()      # another life at the same port
"""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from tests.ports import held_ports

READY_S: Final = 60.0


class ServerProcess(ABC):
    """`ports` are its own until it goes; `top` is its directory."""

    NAME: ClassVar[str]
    PORTS: ClassVar[int] = 1

    def __init__(self) -> None:
        self.top = Path(tempfile.mkdtemp(prefix=f"{self.NAME}-", dir="/tmp"))
        self._held = contextlib.ExitStack()
        self.ports = self._held.enter_context(held_ports(self.PORTS))
        self._popen: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def answers(self) -> bool:
        """Asked until it does; may raise OSError."""

    def environment(self) -> Mapping[str, str] | None:
        """None: the tests' own."""
        return None

    def __enter__(self) -> Self:
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
    def authority(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def log(self) -> str:
        return (self.top / "log").read_text(errors="replace")

    def start(self) -> None:
        """Returns when it answers."""
        with (self.top / "log").open("ab") as log:
            self._popen = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
            )
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self._popen.poll() is None, f"{self.NAME} ended:\n{self.log}"
            assert time.monotonic() < deadline, f"{self.NAME} does not answer:\n{self.log}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9: what is not on its disk is forgotten."""
        running = self._running()
        running.kill()
        running.wait()

    def stop_answering(self) -> None:
        """Connections stay, nobody answers."""
        self._running().send_signal(signal.SIGSTOP)

    def answer_again(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._popen is not None
        return self._popen

    def _end(self) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self.kill()
        self._held.close()
        shutil.rmtree(self.top, ignore_errors=True)
