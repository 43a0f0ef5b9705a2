"""Copies of a store while it is in use. Implemented beside the stores that live in one file or service.

A copy is a store of its own: it is restored by putting it in the store's place while no control plane runs.
"""

from pathlib import Path
from typing import Protocol

import msgspec


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that was checked and is on disk. `version` is the newest configuration version in it, `size` bytes,
    `time` unix seconds."""

    file: str
    version: int
    size: int
    time: float


class BackupRefused(msgspec.Struct, frozen=True, kw_only=True):
    """No copy was made, and what was at its place before is untouched. `reason` is for the operator."""

    reason: str


class StoreBackups(Protocol):
    """Every method may raise StoreTemporary or StorePermanent."""

    async def backup(self, file: Path, now: float) -> Backup | BackupRefused:
        """Copies the whole store at one moment; who reads or writes it meanwhile does not wait.

        `file` is absolute. A copy of this or another store that is there is replaced in one step; any other file
        is left alone and refused.
        """
