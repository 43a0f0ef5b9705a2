"""Disks that are full or stall. Both are done only to small disks that a test has made, which is checked.

The disk is mounted at a directory of its own, where the programs under test can be given their home.
"""

import contextlib
import errno
import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from proa.testing.faults.bounds import FaultUnavailable, bounded, tool

LARGEST: Final = 256 << 20
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878  # linux/fs.h


@contextlib.contextmanager
def small_disk(size: int, *, kind: Literal["tmpfs", "ext4"] = "tmpfs") -> Iterator[Path]:
    """An empty file system of `size` bytes, as long as the block lasts; `ext4` (8 MiB at least) can stall, too.

    Programs that use it must have ended before. Raises FaultUnavailable without root, or without loop devices.
    """
    if size > LARGEST:
        raise ValueError(f"{size} bytes are more than a test needs ({LARGEST})")
    if os.geteuid() != 0:
        raise FaultUnavailable("mounting a disk needs root")
    with tempfile.TemporaryDirectory(prefix="proa-disk-", dir="/tmp") as top:
        place, image = Path(top) / "disk", Path(top) / "image"
        place.mkdir(mode=0o700)
        if kind == "ext4":
            with image.open("wb") as file:
                file.truncate(size)
            tool(("mkfs.ext4", "-q", "-m", "0", "-E", "root_owner=0:0", str(image)))
            tool(("mount", "-t", "ext4", "-o", "loop", str(image), str(place)))
        else:
            tool(("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "proa-disk", str(place)))
        try:
            yield place
        finally:
            _unmount(place)


@contextlib.contextmanager
def full_disk(disk: Path, *, leave: int = 0, at_most_s: float = 60.0) -> Iterator[None]:
    """No byte is free on the disk but about `leave`: writes fail with ENOSPC, what is there stays readable."""
    _check_ours(disk)
    ballast = disk / ".ballast"

    def empty() -> None:
        ballast.unlink(missing_ok=True)

    with bounded(f"the full disk {disk}", at_most_s, empty):
        with ballast.open("wb", buffering=0) as file:
            for piece in (1 << 16, 1 << 12, 1):
                _fill(file.fileno(), b"\0" * piece)
            file.truncate(max(0, file.tell() - leave))
        yield


@contextlib.contextmanager
def slow_disk(
    disk: Path, *, stall_s: float = 1.0, every_s: float = 2.0, at_most_s: float = 60.0
) -> Iterator[None]:
    """Every `every_s` all writes to the disk hang for `stall_s`, the first time at once. Needs an ext4 disk.

    Raises FaultUnavailable for a file system that cannot be frozen.
    """
    _check_ours(disk)
    ended = threading.Event()
    frozen = threading.Event()
    refused: list[OSError] = []
    handle = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)

    def stall() -> None:
        while not ended.is_set():
            try:
                fcntl.ioctl(handle, FIFREEZE, 0)
            except OSError as error:
                refused.append(error)
                frozen.set()
                return
            frozen.set()
            ended.wait(stall_s)
            fcntl.ioctl(handle, FITHAW, 0)
            ended.wait(every_s - stall_s)

    worker = threading.Thread(target=stall, name=f"slow disk {disk}", daemon=True)

    def thaw() -> None:
        ended.set()
        worker.join()

    try:
        worker.start()
        with bounded(f"the slow disk {disk}", at_most_s, thaw):
            frozen.wait()
            if refused:
                raise FaultUnavailable(f"{disk} cannot be frozen: {refused[0].strerror}")
            yield
    finally:
        os.close(handle)


def _fill(descriptor: int, piece: bytes) -> None:
    while True:
        try:
            os.write(descriptor, piece)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return


def _check_ours(disk: Path) -> None:
    facts = os.statvfs(disk)
    if not os.path.ismount(disk) or facts.f_blocks * facts.f_frsize > LARGEST:
        raise ValueError(f"{disk} is no small disk made for a test")


def _unmount(place: Path) -> None:
    try:
        tool(("umount", str(place)))
    except FaultUnavailable:
        # Somebody still has a file open there: out of sight now, gone when they end. The test's own mistake stands.
        tool(("umount", "--lazy", str(place)))
        raise
