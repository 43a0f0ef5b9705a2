"""Keeps the logs of this host's Envoys from filling its disk: by size, with a few old ones kept beside.

An Envoy writes its access log and its own log to what it inherited as standard output and error, so they stay open
under whatever name (asking it to open its logs again only finds the same file). A full one is therefore copied and cut.
It is appended to, so cutting leaves no hole; what is written between the last read of the copy and the cut, some
microseconds, is lost.
"""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Final

import msgspec

LOOK_S: Final = 10.0
KINDS: Final = ("*.access.log", "*.envoy.log")
log = logging.getLogger("proa.node.logs")


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """A log of `size` bytes is put aside, and `kept` old ones stay: one log takes (kept + 1) times its size, and what
    is written within one look."""

    size: int = 64 * 1024 * 1024
    kept: int = 3


def rotate(folder: Path, keeping: Keeping) -> tuple[Path, ...]:
    """One look at all Envoys' logs; those that were full, in order. One that cannot be copied (the disk is full) stays
    as it is, and its oldest copy is gone."""
    full = [path for kind in KINDS for path in folder.glob(kind) if _size(path) >= keeping.size]
    done: list[Path] = []
    for path in sorted(full):
        try:
            _copy_and_cut(path, keeping.kept)
        except OSError as error:
            log.warning("%s is not rotated: %s", path, error)
        else:
            done.append(path)
    return tuple(done)


async def keep_rotated(folder: Path, keeping: Keeping) -> None:
    """Until cancelled."""
    while True:
        await asyncio.to_thread(rotate, folder, keeping)
        await asyncio.sleep(LOOK_S)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _copy_and_cut(path: Path, kept: int) -> None:
    """`x.log` becomes `x.log.1`, that `.2`, and so on; the one too many goes first, to make room."""
    _old(path, kept).unlink(missing_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.touch(mode=0o600)
    with path.open("r+b") as file, part.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        file.truncate(0)
    for number in range(kept - 1, 0, -1):
        if _old(path, number).exists():
            _old(path, number).rename(_old(path, number + 1))
    part.rename(_old(path, 1))


def _old(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
