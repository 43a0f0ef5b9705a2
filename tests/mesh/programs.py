"""Child processes of the mesh tests, and the waiting for what they do: conditions with deadlines, no fixed sleeps.

`tests.mesh.harness` builds meshes of these; it hands on the names that tests need.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from proa.home import Home
from proa.node.options import NodeOptions, NodeUnusable
from proa.node.run import find_envoy

T = TypeVar("T")

APPS: Final = Path(__file__).with_name("apps")
WAIT_S: Final = 60.0
LOOK_S: Final = 0.05
FOREVER: Final = (sys.executable, "-c", "import signal; signal.pause()")
"""A program that serves nothing: the workload of a client."""


def why_no_envoy() -> str:
    """The reason to skip, empty when there is an Envoy."""
    try:
        find_envoy(NodeOptions(home=Home("/nonexistent")))
    except NodeUnusable as error:
        return str(error)
    return ""


def app(name: str, *words: str) -> tuple[str, ...]:
    """The command line of `tests/mesh/apps/<name>.py`."""
    return (sys.executable, str(APPS / f"{name}.py"), *words)


def until(question: Callable[[], T], what: str, timeout_s: float = WAIT_S) -> T:
    """The first true answer. Fails with `what` and the last answer when the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what} (last answer: {answer!r})")
        time.sleep(LOOK_S)


class Program:
    """One child process in a session of its own; what it prints is in `log`."""

    def __init__(self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._from = output.tell()
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """Exit code, None while it runs."""
        return self._popen.poll()

    @property
    def output(self) -> str:
        """What this process has printed: `log` may begin with what an earlier one of the same name did."""
        return self.log.read_bytes()[self._from :].decode(errors="replace")

    def send(self, number: signal.Signals) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def wait(self, timeout_s: float = WAIT_S) -> int:
        """The exit code. Fails when it does not end."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} runs on after {timeout_s:g} s:\n{self.output}") from None

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = WAIT_S) -> int:
        """Asks it to end and waits for that; its exit code."""
        self.send(number)
        return self.wait(timeout_s)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self._popen.wait()

    def until_printed(self, text: str, timeout_s: float = WAIT_S) -> None:
        def printed() -> bool:
            assert text in self.output or self.code is None, f"{self.name} ended:\n{self.output}"
            return text in self.output

        until(printed, f"{self.name} prints {text!r}", timeout_s)
