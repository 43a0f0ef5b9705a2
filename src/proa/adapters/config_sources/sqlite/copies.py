"""Copies of store.db: how one is made, and which ones exist.

`backups/` beside the store has a list of every copy made, wherever it was put, so that a store that can no longer be
read can still say what to restore. It also has the copies made before an upgrade. The list is advice: whoever uses it
looks at the files.
"""

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import msgspec

from proa.adapters.config_sources.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from proa.ports.failures import StorePermanent
from proa.ports.store_backup import Backup

REMEMBERED: Final = 100
SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
MAGIC: Final = b"SQLite format 3\0"


def make_copy(store: Path, target: Path, now: float) -> Backup:
    """A whole, checked, durable copy at `target`, 0600, in the place of what was there. A single read transaction:
    the copy is of one moment, and writers go on. Raises StorePermanent, sqlite3.Error or OSError, and has then
    left `target` as it was."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    waiting = Path(name)
    try:
        version = _copy(store, waiting)
        size = waiting.stat().st_size
        sync(waiting)
        waiting.replace(target)
        sync(target.parent)
    finally:
        for suffix in SUFFIXES:
            waiting.with_name(waiting.name + suffix).unlink(missing_ok=True)
    made = Backup(file=str(target), version=version, size=size, time=now)
    _remember(store, made)
    return made


def known_copies(store: Path) -> tuple[Backup, ...]:
    """Newest first, each file once; those that are gone are left out."""
    found: dict[str, Backup] = {}
    for copy in reversed(_listed(store)):
        if copy.file not in found and Path(copy.file).is_file():
            found[copy.file] = copy
    return tuple(found.values())


def problem_of(copy: Path) -> str | None:
    """Why this file cannot be restored by this program; None when it can."""
    if not is_store(copy):
        return "it is no store of Proa's"
    try:
        with closing(_read_only(copy)) as connection:
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    if schema > SCHEMA_VERSION:
        return f"it is of a newer Proa (schema {schema})"
    return None if said == "ok" else str(said)


def is_store(file: Path) -> bool:
    header = _header(file)
    return header.startswith(MAGIC) and header[68:72] == APPLICATION_ID.to_bytes(4, "big")


def is_copy(file: Path) -> bool:
    """Told from a store that a mesh uses: that one is in WAL mode (2)."""
    return is_store(file) and _header(file)[18:20] == b"\1\1"


def _header(file: Path) -> bytes:
    """https://www.sqlite.org/fileformat.html, section 1.3; empty when it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(100)
    except OSError:
        return b""


def copies_directory(store: Path) -> Path:
    """Beside the store, 0700; made when missing."""
    directory = store.parent / "backups"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def sync(path: Path) -> None:
    """What was written to this file, or which files this directory has, survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(store: Path, waiting: Path) -> int:
    with (
        closing(_read_only(store)) as source,
        closing(sqlite3.connect(waiting, isolation_level=None)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # a copy is one file
        (said,) = target.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise StorePermanent(
                f"{store} cannot be copied whole ({said}): it is damaged; restart to see more"
            )
        return int(target.execute("SELECT coalesce(max(version), 0) FROM versions").fetchone()[0])


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _list_file(store: Path) -> Path:
    return copies_directory(store) / "list.jsonl"


def _listed(store: Path) -> list[Backup]:
    try:
        lines = _list_file(store).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(msgspec.DecodeError):
            found.append(msgspec.json.decode(line, type=Backup))
    return found


def _remember(store: Path, made: Backup) -> None:
    kept = [*_listed(store), made][-REMEMBERED:]
    list_file = _list_file(store)
    waiting = list_file.with_name(f".{list_file.name}.{os.getpid()}")
    waiting.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in kept))
    waiting.replace(list_file)
