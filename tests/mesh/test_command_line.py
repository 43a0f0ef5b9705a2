"""A newcomer's first minutes: `up`, `run`, `exec`, Ctrl-C; as processes, through real Envoys."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from proa.home import Home

pytestmark = pytest.mark.mesh
SECONDS = 90
SERVER = """
import http.server, os
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(os.environ["PORT"]), bind="127.0.0.1")
"""
CLIENT = "import urllib.request as r; print(r.urlopen('http://hello:8080/', timeout=20).status)"


@pytest.fixture
def home() -> Iterator[Home]:
    found = Home(tempfile.mkdtemp(prefix="proa-test-"))
    yield found
    shutil.rmtree(found.run_dir, ignore_errors=True)
    shutil.rmtree(found.path)


def command(home: Home, *words: str) -> list[str]:
    return [sys.executable, "-m", "proa.cli", "--home", str(home.path), *words]


def ask(home: Home, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(home, *words), capture_output=True, text=True, timeout=SECONDS, check=False)


class Running:
    """A long-running command; its output line by line."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.seen: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._lines.put(line)

    def until(self, words: str) -> None:
        while not any(words in line for line in self.seen):
            self.seen.append(self._lines.get(timeout=SECONDS))

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.interrupt()
        self._reader.join()


@contextmanager
def running(home: Home, *words: str) -> Iterator[Running]:
    started = Running(command(home, *words))
    try:
        yield started
    finally:
        started.close()


def processes_of(home: Home) -> list[str]:
    """Command lines that name the home or its sockets: programs of ours, and Envoys."""
    names = (os.fsencode(home.path), os.fsencode(home.run_dir))
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if any(name in line for name in names):
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_the_first_minutes(home: Home) -> None:
    with running(home, "up") as mesh:
        mesh.until("The mesh is up")
        assert "is running at" in ask(home, "up").stderr
        with running(
            home, "run", "--name", "hello", "--port", "8080:auto", "--", sys.executable, "-c", SERVER
        ) as app:
            app.until("default/hello is healthy")
            answer = ask(home, "exec", "hello", "--", sys.executable, "-I", "-c", CLIENT)
            assert (answer.returncode, answer.stdout) == (0, "200\n"), answer.stderr
            assert ask(home, "exec", "hello", "--", "sh", "-c", "exit 7").returncode == 7

            shown = ask(home, "certificate", "show", "hello")
            assert "spiffe://cluster.local/ns/default/sa/hello" in shown.stdout
            assert ask(home, "proxy", "status").stdout.splitlines()[1].startswith("default/hello")
            secrets = ask(home, "proxy", "config", "hello", "--live", "--type", "secret").stdout
            assert "[redacted]" in secrets
            assert "PRIVATE KEY" not in secrets
            assert not (home.path / "join-token").exists()
            app.interrupt()
        assert mesh.interrupt() == 0
    assert processes_of(home) == []
