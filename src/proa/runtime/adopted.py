"""Processes that are no children of ours: recognised by pid *and* start time, then held by pidfd. Another one of us
started them, or we did and want them to outlive us.

A pid alone is no name: the kernel gives it again. A pid with the time at which its process began is one, until the
machine starts again; whoever keeps such a pair on disk keeps the boot's id with it.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

_DETACH: Final = Path(__file__).with_name("detach.py")

STATE: Final = 2
START_TIME: Final = 21
"""Fields of /proc/PID/stat, counted from 0 (proc(5) counts from 1)."""
GENERATIONS: Final = 8


def start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot. None when there is no such process, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return None
    # The name in parentheses may hold anything; two fields stand before its end.
    fields = text.rpartition(")")[2].split()
    if fields[STATE - 2] in ("Z", "X"):
        return None
    return int(fields[START_TIME - 2])


def descends_from(pid: int, elders: Collection[int]) -> bool:
    """Whether the process is one of these or below one, as far as its parents still live."""
    for _ in range(GENERATIONS):
        if pid in elders:
            return True
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except (OSError, ValueError):
            return False
        pid = int(text.rpartition(")")[2].split()[1])
        if pid <= 1:
            return False
    return False


def boot_id() -> str:
    """Another text after each start of the machine; empty where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


_NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})


class Adopted:
    """A process whose exit code nobody here will know. Made by `adopt` or `start_detached` in a running loop; `close`
    it when done, which ends nothing."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self._pid = pid
        self._pidfd = pidfd
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(pidfd, self._end)

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def is_ended(self) -> bool:
        return self._ended.done()

    async def wait(self) -> None:
        """Returns when it has ended."""
        await asyncio.shield(self._ended)

    def send(self, number: signal.Signals) -> bool:
        """False when it has ended."""
        if self._ended.done() or self._pidfd < 0:
            return False
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return False
        return True

    def close(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _end(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)  # where we are the system's first process it became our child
        self._loop.remove_reader(self._pidfd)
        if not self._ended.done():
            self._ended.set_result(None)


def adopt(pid: int, started: int) -> Adopted | None:
    """Holds the process that has this pid and began then; None when it has ended, whoever has its pid now.

    The pidfd is opened before the start time is read: what was read then belongs to what is held.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except (ProcessLookupError, ValueError, OverflowError, OSError):
        return None
    if start_time(pid) != started:
        os.close(pidfd)
        return None
    return Adopted(pid, pidfd)


async def start_detached(
    argv: Sequence[str], *, cwd: Path, stdout: int, stderr: int, more_env: Mapping[str, str] = _NO_MORE
) -> tuple[Adopted, int]:
    """Starts a program that goes on when we end; it and its start time. Raises OSError when it cannot be started.
    `more_env` is added to our own environment.

    Cancelled before it runs, nothing is left of it.
    """
    answer, theirs = os.pipe()
    try:
        try:
            launcher = _launch(argv, theirs, cwd, stdout, stderr, more_env)
        finally:
            os.close(theirs)
        try:
            words = (await _read_to_end(answer)).decode(errors="replace")
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGKILL)
            raise
        finally:
            launcher.wait()
    finally:
        os.close(answer)
    pid, _, problem = words.partition("\n")
    if problem or not pid.isdigit():
        raise OSError(problem or f"{argv[0]}: it ended before it began")
    started = start_time(int(pid))
    held = None if started is None else adopt(int(pid), started)
    if started is None or held is None:
        raise OSError(f"{argv[0]}: it ended at once")
    return held, started


def _launch(
    argv: Sequence[str], answer: int, cwd: Path, stdout: int, stderr: int, more_env: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_DETACH), str(answer), *argv],
        cwd=cwd,
        env={**os.environ, **more_env},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=(answer,),
    )


async def _read_to_end(descriptor: int) -> bytes:
    """Of a pipe, until nobody can write to it any more."""
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    pieces: list[bytes] = []
    while True:
        readable = asyncio.Event()
        loop.add_reader(descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(descriptor)
        piece = os.read(descriptor, 4096)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
