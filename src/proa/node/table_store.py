"""One workload's table on disk: loaded when the workload comes, written when its Envoy has taken something new.

The workload makes it and its sidecar feeds it. Writing is coalesced: the latest table, one write at a time, in a
thread, and never so often that a busy mesh keeps the disk busy. A file that cannot be believed is told of and
removed; losing it costs a round trip to the control plane, believing it could cost more.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proa.core.sidecar.table_file import BadTable, Table, decode_table, encode_table
from proa.home import write_private
from proa.runtime.cell import Cell

log = logging.getLogger("proa.node.tables")

FILE: Final = "table"
REST_S: Final = 0.2
"""Shortest time between two writes."""
REST_FACTOR: Final = 4.0
"""A write is followed by a rest so many times as long: a big table takes a fifth of the disk's time at most."""
RETRY_S: Final = 5.0


class TableStore:
    """`directory` is the workload's own. All but the file work happens in one event loop."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._news = Cell(0)
        self._on_disk: Table | None = None

    async def load(self) -> Table | None:
        """What an earlier run left, None when there is nothing of use. Called before `keep`."""
        self._on_disk = await asyncio.to_thread(_read, self._path)
        return self._on_disk

    async def forget(self) -> None:
        """The control plane refused the workload: nothing may start from its table. Not to be called during `keep`."""
        await asyncio.to_thread(self._path.unlink, missing_ok=True)
        self._on_disk = None

    def changed(self) -> None:
        """There may be something to write, or to remove."""
        self._news.set(self._news.value + 1)

    async def keep(self, current: Callable[[], Table | None]) -> None:
        """Until cancelled: after each `changed` the disk gets what is `current`; None means no file."""
        loop = asyncio.get_running_loop()
        seen = 0
        while True:
            seen = await self._news.changed(seen)
            table = current()
            if table == self._on_disk:
                continue
            began = loop.time()
            try:
                await asyncio.to_thread(_write, self._path, table)
            except OSError as error:  # a full disk: the old table is still whole
                log.error("%s: the table is not kept on disk: %s", self._path.parent.name, error)
                seen = -1
                await asyncio.sleep(RETRY_S)
                continue
            self._on_disk = table
            await asyncio.sleep(max(REST_S, REST_FACTOR * (loop.time() - began)))


def _write(path: Path, table: Table | None) -> None:
    if table is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, encode_table(table))


def _read(path: Path) -> Table | None:
    for torn in path.parent.glob(f".{path.name}.*"):  # a write that a crash cut off
        torn.unlink(missing_ok=True)
    try:
        if path.stat().st_mode & 0o077:
            raise BadTable("others may read or write it")
        return decode_table(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s: the table on disk cannot be read: %s", path.parent.name, error)
        return None
    except BadTable as bad:
        log.warning("%s: the table on disk is of no use and removed: %s", path.parent.name, bad)
        path.unlink(missing_ok=True)
        return None
