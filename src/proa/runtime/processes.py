"""Child processes watched by pidfd: their end is seen at once, and a signal never hits a recycled pid."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

Stream = int | IO[bytes] | None
_LAUNCH = Path(__file__).with_name("launch.py")


class Child:
    """One child. Made by `start_child` in a running loop; `wait` reaps it; `close` it when done."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen
        self._pidfd = os.pidfd_open(popen.pid)
        self._ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """Exit code, -N after signal N, None while it runs."""
        return self._popen.returncode

    async def wait(self) -> int:
        return int(await asyncio.shield(self._ended))

    def send(self, number: signal.Signals) -> bool:
        """False when it has ended."""
        if self._ended.done():
            return False
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return False
        return True

    def close(self) -> None:
        """Kills and reaps it if it still runs."""
        if self._pidfd < 0:
            return
        if not self._ended.done():
            self.send(signal.SIGKILL)
            self._popen.wait()
            self._reap()
        os.close(self._pidfd)
        self._pidfd = -1

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reap(self) -> None:
        if self._popen.poll() is not None and not self._ended.done():
            asyncio.get_running_loop().remove_reader(self._pidfd)
            self._ended.set_result(self._popen.returncode)


def start_child(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    own_session: bool = False,
    own_group: bool = False,
    dies_with_us: signal.Signals | None = None,
) -> Child:
    """Starts a program. `dies_with_us` is the signal the kernel sends it when this process ends, however it
    ends; a program that cannot be started then exits 127 or 126 as in a shell. Otherwise raises OSError."""
    command = list(argv)
    if dies_with_us is not None:
        command = [
            sys.executable,
            "-I",
            "-S",
            str(_LAUNCH),
            str(int(dies_with_us)),
            str(os.getpid()),
            *command,
        ]
    popen = subprocess.Popen(
        command,
        env=None if env is None else dict(env),
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=own_session,
        process_group=0 if own_group else None,
    )
    return Child(popen)


async def wait_gone(pid: int) -> None:
    """Returns when the process, child or not, has ended; at once when there is none."""
    try:
        pidfd = os.pidfd_open(pid)
    except (ProcessLookupError, ValueError):
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def readable() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(pidfd, readable)
    try:
        await ended
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
