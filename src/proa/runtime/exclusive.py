"""One process at a time: a lock on a file that the kernel gives back when its holder ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Occupied(Exception):
    """Somebody holds the lock. `pid` is who wrote their number into the file, 0 when nobody did."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(f"{path} is held{f' by process {pid}' if pid else ''}")
        self.pid = pid


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock while the block runs; child programs do not inherit it. The file stays, for removing it would let
    two hold different files of one name. Raises Occupied, OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise Occupied(path, int(text) if text.isdigit() else 0) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
