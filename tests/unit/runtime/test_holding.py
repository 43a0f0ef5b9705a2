import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from proa.runtime.holding import Held, ProgramEnded, ProgramLate, holding


def held(
    program: str, log: Path, use: Callable[[Held], Coroutine[Any, Any, None]], grace_s: float = 60
) -> int:
    async def run() -> int:
        async with holding("it", (sys.executable, "-c", program), log=log, grace_s=grace_s) as child:
            await use(child)
            return child.pid

    return asyncio.run(run())


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def says(log: Path, word: str) -> Callable[[], Coroutine[Any, Any, bool]]:
    async def asked() -> bool:
        return word in await asyncio.to_thread(log.read_text)

    return asked


PATIENT = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("bye"), sys.exit()))
print("up", flush=True)
signal.pause()
"""
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
signal.pause()
"""


def test_the_block_ends_the_program_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"

    pid = held(PATIENT, log, lambda child: child.until(says(log, "up"), 60))

    assert not is_running(pid)
    assert log.read_text().splitlines() == ["up", "bye"]
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"

    assert not is_running(held(DEAF, log, lambda child: child.until(says(log, "up"), 60), grace_s=0.1))


def test_an_early_end_is_told_with_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"

    with pytest.raises(ProgramEnded, match=r"it ended with exit code 3; the end of .*:\n  no such thing"):
        held(
            "print('no such thing'); raise SystemExit(3)", log, lambda child: child.until(says(log, "up"), 60)
        )


def test_a_late_program_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"

    with pytest.raises(ProgramLate, match="it is not ready after 0 s; its log is"):
        held(DEAF, log, lambda child: child.until(says(log, "never"), 0), grace_s=0.1)


def test_a_failing_block_leaves_nothing(tmp_path: Path) -> None:
    pids: list[int] = []

    async def fail(child: Held) -> None:
        pids.append(child.pid)
        raise RuntimeError("whatever")

    with pytest.raises(RuntimeError, match="whatever"):
        held(PATIENT, tmp_path / "log", fail)
    assert not is_running(pids[0])
