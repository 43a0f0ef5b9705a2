"""Processes that die or stand still. A pidfd holds on to the very process, so no later one of its number is hit."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proa.testing.faults.bounds import bounded

LOOK_S: Final = 0.005


@contextlib.contextmanager
def killed(pid: int, *, gone_within_s: float = 5.0) -> Iterator[None]:
    """SIGKILL. The block runs when the process is dead (it may still be a zombie, which is its parent's business).

    There is nothing to take back: who starts it again is what one tests. Raises ProcessLookupError, TimeoutError.
    """
    with _held(pid) as descriptor:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        if not select.select([descriptor], [], [], gone_within_s)[0]:
            raise TimeoutError(f"{pid} lives on {gone_within_s:g} s after SIGKILL")
    yield


@contextlib.contextmanager
def paused(pid: int, *, at_most_s: float = 60.0, stands_within_s: float = 5.0) -> Iterator[None]:
    """SIGSTOP until the block ends, then SIGCONT. The block runs when all of the process stands still.

    Its sockets stay open and its kernel goes on to accept and acknowledge for it, as for a machine that swaps.
    Raises ProcessLookupError, TimeoutError.
    """
    with _held(pid) as descriptor:

        def go_on() -> None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)

        with bounded(f"the pause of {pid}", at_most_s, go_on):
            signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
            deadline = time.monotonic() + stands_within_s
            while not _stands_still(pid):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{pid} does not stand still {stands_within_s:g} s after SIGSTOP")
                time.sleep(LOOK_S)
            yield


@contextlib.contextmanager
def _held(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _stands_still(pid: int) -> bool:
    """Every thread is in state T (proc(5), stat: the field after the name in parentheses)."""
    try:
        states = [
            (task / "stat").read_text().rpartition(")")[2].split()[0]
            for task in Path(f"/proc/{pid}/task").iterdir()
        ]
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(f"{pid} has ended") from error
    return all(state == "T" for state in states)
