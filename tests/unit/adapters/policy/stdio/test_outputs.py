import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proa.adapters.policy.stdio.outputs import Descriptor, LogFile, Rotation

START = datetime(2018, 9, 15, 20, 46, 36, 9000, tzinfo=UTC)
PLAIN = Rotation(most_bytes=10, days=0, files=0)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_file_grows_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mixer.log"
    for line in (b"1\n", b"2\n"):
        log = LogFile(path, Clock())
        log.write(line, None)
        log.close()
    assert path.read_bytes() == b"1\n2\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_gets_too_large_is_renamed_whole(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "mixer.log", Clock())
    for line in (b"12345\n", b"78\n", b"second\n", b"longer than all that may be\n", b"last\n"):
        log.write(line, PLAIN)
    log.close()
    assert names(tmp_path) == [
        "mixer-2018-09-15T20-46-36.009.log",
        "mixer-2018-09-15T20-46-36.010.log",
        "mixer-2018-09-15T20-46-36.011.log",
        "mixer.log",
    ]
    texts = [(tmp_path / name).read_bytes() for name in names(tmp_path)]
    assert texts == [b"12345\n78\n", b"second\n", b"longer than all that may be\n", b"last\n"]


def test_old_ones_go_by_number_and_by_age_and_others_stay(tmp_path: Path) -> None:
    clock = Clock()
    for other in (
        "mixer-notes.log",
        "mixer-2018-01-01T00-00-00.000.txt",
        "other-2018-01-01T00-00-00.000.log",
    ):
        (tmp_path / other).write_text("not ours")
    log = LogFile(tmp_path / "mixer.log", clock)
    kept = names(tmp_path)
    for days in range(5):
        clock.now = START + timedelta(days=days)
        log.write(b"0123456789", Rotation(most_bytes=10, days=0, files=2))
    assert names(tmp_path) == sorted(
        [*kept, "mixer-2018-09-18T20-46-36.009.log", "mixer-2018-09-19T20-46-36.009.log"]
    )
    clock.now = START + timedelta(days=10)
    log.write(b"0123456789", Rotation(most_bytes=10, days=3, files=0))
    assert names(tmp_path) == sorted([*kept, "mixer-2018-09-25T20-46-36.009.log"])
    log.close()


def test_a_file_that_somebody_moved_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "mixer.log"
    log = LogFile(path, Clock())
    log.write(b"1\n", None)
    path.rename(tmp_path / "moved")
    log.write(b"2\n", None)
    path.unlink()
    log.write(b"3\n", None)
    log.close()
    assert path.read_bytes() == b"3\n"
    assert (tmp_path / "moved").read_bytes() == b"1\n"


def test_a_write_that_fails_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mixer.log"
    log = LogFile(path, Clock())
    log.write(b"1\n", None)
    write = os.write

    def full(number: int, data: memoryview) -> int:
        if len(data) < 5:
            raise OSError(28, "No space left on device")
        return write(number, data[:3])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        log.write(b"1234567\n", None)
    monkeypatch.undo()
    assert path.read_bytes() == b"1\n"
    log.write(b"2\n", None)
    log.close()
    assert path.read_bytes() == b"1\n2\n"


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(OSError, match=r"link|pipe|directory"):
            LogFile(tmp_path / name, Clock())
    with pytest.raises(OSError, match="no ordinary file"):
        LogFile(Path("/dev/null"), Clock())
    assert not (tmp_path / "elsewhere").exists()


def test_a_descriptor_is_written_whole_and_stays_open() -> None:
    reader, writer = os.pipe()
    output = Descriptor(writer)
    output.write(b"1\n", None)
    output.close()
    os.write(writer, b"2\n")
    assert os.read(reader, 100) == b"1\n2\n"
    os.close(reader)
    os.close(writer)
