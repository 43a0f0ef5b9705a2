"""Children are seen ending, and end with us."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from proa.runtime.processes import start_child, wait_gone

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def test_exit_codes_and_signals() -> None:
    async def scenario() -> tuple[int, int]:
        with (
            start_child((sys.executable, "-c", "raise SystemExit(3)")) as ended,
            start_child(SLEEP) as killed,
        ):
            assert killed.send(signal.SIGKILL)
            codes = await ended.wait(), await killed.wait()
            assert not killed.send(signal.SIGTERM)
            return codes

    assert asyncio.run(scenario()) == (3, -9)


def test_closing_leaves_nothing() -> None:
    async def scenario() -> int:
        with start_child(SLEEP) as child:
            return child.pid

    assert not Path(f"/proc/{asyncio.run(scenario())}").exists()


def test_a_missing_program_ends_as_in_a_shell() -> None:
    async def scenario() -> int:
        with start_child(
            ("/no/such/program",), dies_with_us=signal.SIGTERM, stderr=subprocess.DEVNULL
        ) as child:
            return await child.wait()

    assert asyncio.run(scenario()) == 127


def test_a_child_dies_with_a_parent_that_was_killed() -> None:
    program = (
        "import asyncio, signal, sys\n"
        "from proa.runtime.processes import start_child\n"
        "async def main():\n"
        "    child = start_child((sys.executable, '-c', 'print(\"up\", flush=True); import time; time.sleep(600)'),"
        " dies_with_us=signal.SIGTERM)\n"
        "    print(child.pid, flush=True)\n"
        "    await child.wait()\n"
        "asyncio.run(main())\n"
    )

    with subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        words = {parent.stdout.readline().strip() for _ in range(2)}
        (pid,) = (int(word) for word in words - {"up"})
        parent.kill()
        asyncio.run(asyncio.wait_for(wait_gone(pid), 60))


def test_waiting_for_a_process_that_is_gone_already() -> None:
    done = subprocess.Popen((sys.executable, "-c", ""))
    done.wait()
    asyncio.run(wait_gone(done.pid))


def test_the_terminals_signals_do_not_reach_a_group_of_its_own() -> None:
    async def scenario() -> bool:
        with start_child(SLEEP, own_group=True) as group, start_child(SLEEP, own_session=True) as session:
            return os.getpgid(group.pid) == group.pid and os.getsid(session.pid) == session.pid

    assert asyncio.run(scenario())
