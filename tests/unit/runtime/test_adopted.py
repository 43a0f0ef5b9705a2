"""Processes that are no children of ours."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proa.runtime.adopted import adopt, boot_id, descends_from, start_detached, start_time
from proa.runtime.polling import poll

SLEEPER = (sys.executable, "-S", "-c", "import time; time.sleep(600)")
DIES_WITH_ITS_PARENT = (
    sys.executable,
    "-c",
    "import ctypes, time; ctypes.CDLL(None).prctl(1, 15, 0, 0, 0); print('set', flush=True); time.sleep(600)",
)


def test_a_process_is_told_by_its_start_time_also_when_its_name_is_odd() -> None:
    assert start_time(os.getpid()) is not None
    assert start_time(os.getpid()) == start_time(os.getpid())
    assert start_time(2**22 + 1) is None
    assert boot_id() == boot_id()


def test_a_zombie_is_no_process() -> None:
    child = subprocess.Popen((sys.executable, "-S", "-c", ""))
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(child.pid) is None
    child.wait()


def test_whose_child_a_process_is() -> None:
    with subprocess.Popen(SLEEPER) as child:
        try:
            assert descends_from(child.pid, (child.pid,))
            assert descends_from(child.pid, (os.getpid(),))
            assert not descends_from(os.getpid(), (child.pid,))
            assert not descends_from(child.pid, ())
            assert not descends_from(1, (child.pid,))
        finally:
            child.kill()
    assert not descends_from(child.pid, (os.getpid(),)), "it is gone"


def test_a_reused_pid_is_not_believed() -> None:
    async def scenario() -> None:
        started = start_time(os.getpid())
        assert started is not None
        assert adopt(os.getpid(), started + 1) is None
        held = adopt(os.getpid(), started)
        assert held is not None
        assert not held.is_ended
        held.close()
        assert not held.send(signal.SIGTERM), "let go, it reaches nobody"

    asyncio.run(scenario())


def test_a_detached_program_is_nobodys_child_and_its_end_is_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        with (tmp_path / "log").open("wb") as log:
            held, started = await start_detached(
                SLEEPER, cwd=tmp_path, stdout=log.fileno(), stderr=log.fileno()
            )
        assert start_time(held.pid) == started
        assert os.readlink(f"/proc/{held.pid}/cwd") == str(tmp_path)
        assert os.getsid(held.pid) != os.getsid(0)
        assert held.pid not in children()
        assert held.send(signal.SIGKILL)
        async with asyncio.timeout(60):
            await held.wait()
        assert held.is_ended
        held.close()

    asyncio.run(scenario())


def test_a_program_that_wants_to_die_with_its_parent_does_not_die_with_the_launcher(tmp_path: Path) -> None:
    """Envoy asks for that when it can be hot-restarted."""

    async def scenario() -> None:
        log = tmp_path / "log"
        with log.open("wb") as stream:
            held, _ = await start_detached(
                DIES_WITH_ITS_PARENT, cwd=tmp_path, stdout=stream.fileno(), stderr=stream.fileno()
            )

        async def is_set() -> bool:
            return "set" in await asyncio.to_thread(log.read_text)

        async with asyncio.timeout(60):
            await poll(is_set, 0.01, lambda: True)
        assert not held.is_ended
        held.send(signal.SIGKILL)
        held.close()

    asyncio.run(scenario())


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(OSError, match="No such file"):
            await start_detached(("/no/such/program",), cwd=tmp_path, stdout=1, stderr=2)

    asyncio.run(scenario())
