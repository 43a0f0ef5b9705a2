"""The admin API's words about the past of the configuration: its history, going back, and copies of the store.

Shapes only, like `servers.admin.operations`, whose `AdminOperations` has the methods. Fields are only ever added,
always with a default.
"""

import msgspec

from proa.core.model.names import ObjectRef
from proa.ports.config_store import HistoryEntry

DEFAULT_LIMIT = 20
MAX_LIMIT = 10_000
"""An answer has both sides of every change, and is made in memory."""


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`ref` None: of all objects. `limit` counts versions, and no version is cut."""

    ref: ObjectRef | None = None
    limit: int = DEFAULT_LIMIT


class History(msgspec.Struct, frozen=True, kw_only=True):
    """`version` is the one in force; the newest change comes first."""

    version: int
    entries: tuple[HistoryEntry, ...] = ()


class RollbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Make the configuration what it was at `version`, in one transaction and as a new version; 0 is nothing at
    all. With `dry_run` it is compared and checked, and nothing changes."""

    version: int
    author: str = ""
    dry_run: bool = False


class BackupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`file` is an absolute path on the control plane's host."""

    file: str
