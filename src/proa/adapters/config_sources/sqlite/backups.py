"""The StoreBackups over SQLite: judges where a copy may go, and has it made on a thread of its own."""

import sqlite3
import threading
from pathlib import Path

from proa.adapters.config_sources.sqlite.connection import Database
from proa.adapters.config_sources.sqlite.copies import SUFFIXES, is_copy, make_copy
from proa.ports.store_backup import Backup, BackupRefused


class SqliteBackups:
    """Keeps the contract of ports.store_backup.StoreBackups; made by `open_stores`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one_at_a_time = threading.Lock()

    async def backup(self, file: Path, now: float) -> Backup | BackupRefused:
        def job() -> Backup | BackupRefused:
            with self._one_at_a_time:
                reason = _reason_against(self._database.path, file)
                return BackupRefused(reason=reason) if reason else _made(self._database.path, file, now)

        return await self._database.beside(job)


def _made(store: Path, file: Path, now: float) -> Backup | BackupRefused:
    try:
        return make_copy(store, file, now)
    except OSError as error:
        return BackupRefused(reason=f"{file} cannot be written: {error.strerror}")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
            raise
        return BackupRefused(reason=f"{file} cannot be written: its disk is full")


def _reason_against(store: Path, file: Path) -> str:
    if not file.is_absolute():
        return f"{file} is no absolute path: the control plane runs in another directory than you"
    if not file.parent.is_dir():
        return f"there is no directory {file.parent}; make it first"
    if file.resolve() in {Path(f"{store.resolve()}{suffix}") for suffix in SUFFIXES}:
        return f"{file} is the store itself; give the copy another name"
    if file.is_symlink() or (file.exists() and not is_copy(file)):
        return f"{file} is there already and is no backup of a store; give another name, or remove it"
    return ""
