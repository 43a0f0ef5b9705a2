"""Watches a directory. Decides when to read and which files; what they mean is `last_good`'s business.

The kernel's notices only say "look": after each of them, and every second without one, the directory is listed
and the files whose stamps changed are read again. The regular look costs a stat per file and heals what notices
miss: a change between the first look and the first notice, network file systems, lost events.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import msgspec
from watchfiles import awatch

from proa.adapters.config_sources.files.last_good import FileReading, next_state, read_text, unreadable
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.ports.config_source import SourceState
from proa.ports.failures import StorePermanent

SUFFIXES: Final = (".yaml", ".yml", ".json")
LOOK_EVERY_MS: Final = 1000
SETTLE_MS: Final = 50  # editors write in bursts; a burst is one look
MAX_FILE: Final = 16 * 1024 * 1024  # bytes; configuration of ten thousand services has about four million

Stamp = tuple[int, int, int, int]


class _Known(msgspec.Struct, frozen=True):
    stamp: Stamp
    reading: FileReading


class FilesSource:
    """Keeps the contract of ports.config_source.ConfigSource for the files below `directory` that end in .yaml,
    .yml or .json; names that start with a dot are not looked at. `catalogue`: Mixer's adapters."""

    def __init__(self, directory: Path, catalogue: Catalogue = BUILT_IN) -> None:
        self._directory = directory
        self._catalogue = catalogue

    async def watch(self) -> AsyncGenerator[SourceState]:
        """Each call remembers its own last good versions."""
        known = await asyncio.to_thread(self._look, {})
        state = next_state(SourceState(), (each.reading for each in known.values()))
        yield state
        async with aclosing(_notices(self._directory)) as notices:
            async for _ in notices:
                known = await asyncio.to_thread(self._look, known)
                newer = next_state(state, (each.reading for each in known.values()))
                if newer != state:
                    state = newer
                    yield state

    def _look(self, known: dict[str, _Known]) -> dict[str, _Known]:
        """What the directory has now; files that look untouched are not read again. Runs on a worker thread."""
        try:
            files = sorted(_files(self._directory))
        except OSError as error:
            raise StorePermanent(f"{error.filename or self._directory}: {error.strerror}") from error
        found: dict[str, _Known] = {}
        for path in files:
            file = str(path)
            stamp = _stamp(path)
            if stamp is None:
                continue  # gone since it was listed
            before = known.get(file)
            if before is None or before.stamp != stamp:
                before = _Known(stamp, _read(path, self._catalogue))
            found[file] = before
        return found


async def _notices(directory: Path) -> AsyncGenerator[None]:
    """Says "look" after every change below the directory, and every LOOK_EVERY_MS."""
    changes = awatch(
        directory, watch_filter=None, step=SETTLE_MS, rust_timeout=LOOK_EVERY_MS, yield_on_timeout=True
    )
    try:
        async with aclosing(changes):
            async for _ in changes:
                yield
    except OSError as error:
        raise StorePermanent(f"{directory} cannot be watched: {error}") from error


def _files(directory: Path) -> Iterator[Path]:
    """Links to files are followed (mounted ConfigMaps are such links), links to directories are not."""
    for entry in os.scandir(directory):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.name.endswith(SUFFIXES):
            yield Path(entry.path)


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _read(path: Path, catalogue: Catalogue) -> FileReading:
    file = str(path)
    try:
        if path.stat().st_size > MAX_FILE:
            return unreadable(file, f"the file is larger than {MAX_FILE} bytes")
        return read_text(path.read_bytes().decode(), file, catalogue)
    except OSError as error:
        return unreadable(file, f"the file cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        return unreadable(file, f"the file is not UTF-8 text: byte {error.start + 1} is wrong")
