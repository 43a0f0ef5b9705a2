"""Where lines go: the process's own output, or a file that is renamed when it gets too large. Everything here blocks.

A file is opened anew when somebody else has moved it away. It is one that only its owner can read, because lines
tell of requests; what is no ordinary file (a pipe, a device, a link) is refused.
"""

import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import msgspec

MEGABYTE: Final = 1024 * 1024
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_STAMP: Final = "%Y-%m-%dT%H-%M-%S"
_STAMPED: Final = re.compile(r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})")


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """0 of days and files: no limit."""

    most_bytes: int
    days: int
    files: int


class Output(Protocol):
    def write(self, lines: bytes, rotation: Rotation | None) -> None:
        """Whole, or raises OSError."""

    def close(self) -> None: ...


class Descriptor:
    """One that was open before us and stays so. A write that fails may have written a part."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, lines: bytes, rotation: Rotation | None) -> None:
        _write_all(self._number, lines)

    def close(self) -> None:
        pass


class LogFile:
    """A write that fails leaves the file as it was."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path, self._now = path, now
        self._number = -1
        self._open()

    def write(self, lines: bytes, rotation: Rotation | None) -> None:
        if not lines:
            return
        if not self._is_ours():
            self._open()
        size = os.fstat(self._number).st_size
        if rotation is not None and size and size + len(lines) > rotation.most_bytes:
            self._rotate(rotation)
            size = 0
        try:
            _write_all(self._number, lines)
        except OSError:
            os.ftruncate(self._number, size)
            raise

    def close(self) -> None:
        if self._number >= 0:
            os.close(self._number)
            self._number = -1

    def _is_ours(self) -> bool:
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return False
        return self._number >= 0 and os.path.samestat(found, os.fstat(self._number))

    def _open(self) -> None:
        self.close()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(self._path, _FLAGS, 0o600)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise OSError(f"{self._path} is no ordinary file")
        self._number = number

    def _rotate(self, rotation: Rotation) -> None:
        moment = self._now().astimezone(UTC)
        while (backup := self._named(moment)).exists():
            moment += timedelta(milliseconds=1)
        self._path.rename(backup)
        self._open()
        oldest = moment - timedelta(days=rotation.days) if rotation.days else None
        for number, (since, old) in enumerate(sorted(self._backups(), reverse=True)):
            if (rotation.files and number >= rotation.files) or (oldest and since < oldest):
                old.unlink(missing_ok=True)

    def _named(self, moment: datetime) -> Path:
        stamp = f"{moment.strftime(_STAMP)}.{moment.microsecond // 1000:03d}"
        return self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}")

    def _backups(self) -> list[tuple[datetime, Path]]:
        found = []
        for each in self._path.parent.iterdir():
            if each.name.startswith(self._path.stem) and each.name.endswith(self._path.suffix):
                middle = each.name[len(self._path.stem) : len(each.name) - len(self._path.suffix)]
                if stamped := _STAMPED.fullmatch(middle):
                    moment = datetime.strptime(stamped[1], f"{_STAMP}.%f").replace(tzinfo=UTC)
                    found.append((moment, each))
        return found


def _write_all(number: int, lines: bytes) -> None:
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(number, rest) :]
