"""What all faults share: they end, by the block's end or by their time, exactly once."""

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence


class FaultUnavailable(Exception):
    """This machine, or this user, cannot make the fault; the text says what is missing."""


class FaultOverdue(Exception):
    """The block went on after the fault had to be taken back."""


@contextlib.contextmanager
def bounded(what: str, at_most_s: float, restore: Callable[[], None]) -> Iterator[None]:
    """Calls `restore` once: when the block ends, or after `at_most_s` from another thread. `restore` must also take
    back what was only half done. Raises FaultOverdue after a block that lasted longer and did not fail itself."""
    lock = threading.Lock()
    calls = 0

    def once() -> None:
        nonlocal calls
        with lock:
            calls += 1
            if calls == 1:
                restore()

    timer = threading.Timer(at_most_s, once)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        once()
    if calls > 1:
        raise FaultOverdue(f"{what} was taken back after {at_most_s:g} s, before its block had ended")


def tool(argv: Sequence[str], *, stdin: str = "") -> None:
    """Runs a system tool. Raises FaultUnavailable with what it said when it is missing or fails."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        raise FaultUnavailable(f"no program {argv[0]}") from None
    if done.returncode:
        raise FaultUnavailable(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
