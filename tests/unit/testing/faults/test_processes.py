"""Real children, killed and stopped."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from proa.testing.faults import FaultOverdue, killed, paused

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


@contextlib.contextmanager
def child() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as popen:
        try:
            assert said(popen, "ready\n") == "ready\n"
            yield popen
        finally:
            popen.kill()


def said(popen: "subprocess.Popen[str]", line: str) -> str:
    assert popen.stdin is not None
    assert popen.stdout is not None
    popen.stdin.write(line)
    return popen.stdout.readline()


def state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_killed_process_is_dead_within_the_block() -> None:
    with child() as popen:
        with killed(popen.pid):
            assert popen.wait(0) == -signal.SIGKILL
        with pytest.raises(ProcessLookupError), killed(popen.pid):
            pytest.fail("there is nothing to kill")


def test_a_paused_process_stands_still_and_goes_on() -> None:
    with child() as popen:
        with paused(popen.pid):
            assert state(popen.pid) == "T"
        assert said(popen, "on\n") == "on\n"


def test_a_pause_ends_when_its_time_is_over_and_when_the_block_fails() -> None:
    with child() as popen:
        with pytest.raises(FaultOverdue), paused(popen.pid, at_most_s=0.05):
            assert said(popen, "on\n") == "on\n", "this waits until it goes on"
        with pytest.raises(KeyError), paused(popen.pid):
            raise KeyError
        assert said(popen, "on\n") == "on\n"


def test_a_process_may_die_while_it_is_paused() -> None:
    with child() as popen, paused(popen.pid):
        popen.kill()
        popen.wait(60)
