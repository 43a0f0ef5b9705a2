"""Disks of a few megabytes, filled and stalled."""

import errno
import os
import threading
from pathlib import Path

import pytest

from proa.home import write_private
from proa.testing.faults import FaultUnavailable, full_disk, slow_disk, small_disk

root = pytest.mark.root


@root
def test_a_full_disk_takes_nothing_and_gives_what_it_has() -> None:
    with small_disk(1 << 20) as disk:
        write_private(disk / "kept", "old")
        with full_disk(disk):
            with pytest.raises(OSError, match=r".*") as refused:
                write_private(disk / "kept", "new")
            assert refused.value.errno == errno.ENOSPC
            assert (disk / "kept").read_text() == "old"
        write_private(disk / "kept", "new")
        assert (disk / "kept").read_text() == "new"
    assert not disk.exists()


@root
def test_a_nearly_full_disk_has_room_for_a_little() -> None:
    with small_disk(1 << 20) as disk, full_disk(disk, leave=1 << 15):
        (disk / "little").write_bytes(b"x" * (1 << 14))
        with pytest.raises(OSError, match="No space left"):
            (disk / "much").write_bytes(b"x" * (1 << 17))


@root
def test_writes_to_a_slow_disk_hang_and_come_through() -> None:
    try:
        with small_disk(16 << 20, kind="ext4") as disk:
            writer = threading.Thread(target=write_private, args=(disk / "file", "text"))
            with slow_disk(disk, stall_s=30, every_s=60):
                writer.start()
                writer.join(0.2)
                assert writer.is_alive(), "it waits for the disk"
            writer.join(60)
            assert (disk / "file").read_text() == "text"
    except FaultUnavailable as missing:
        pytest.skip(str(missing))


@root
def test_what_cannot_be_frozen_says_so() -> None:
    with (
        small_disk(1 << 20) as disk,
        pytest.raises(FaultUnavailable, match="cannot be frozen"),
        slow_disk(disk),
    ):
        pytest.fail("a tmpfs cannot stall")


def test_no_other_disk_is_touched(tmp_path: Path) -> None:
    for place in (tmp_path, Path("/")):
        with pytest.raises(ValueError, match="no small disk"), full_disk(place):
            pytest.fail("filled")
        with pytest.raises(ValueError, match="no small disk"), slow_disk(place):
            pytest.fail("frozen")
    with pytest.raises(ValueError, match="more than a test needs"), small_disk(1 << 40):
        pytest.fail("made")


@pytest.mark.skipif(os.geteuid() == 0, reason="is about users without root")
def test_without_root_there_is_no_disk() -> None:
    with pytest.raises(FaultUnavailable, match="needs root"), small_disk(1 << 20):
        pytest.fail("mounted")
