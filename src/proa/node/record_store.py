"""One workload's record on disk, and all records of a home: written whenever something changes, read by the next agent.

Written as tables are (`node.table_store`): the latest value, one write at a time, in a thread. What a crash finds not
yet written is found otherwise: an Envoy without a record by its command line, a workload without one by its owner, who
brings its place.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proa.core.model.names import WorkloadId
from proa.core.sidecar.record import BadRecord, Record, decode_record, encode_record
from proa.home import Home, write_private
from proa.runtime.cell import Cell

log = logging.getLogger("proa.node.records")

FILE: Final = "record.json"
RETRY_S: Final = 2.0


class RecordStore:
    """`directory` is the workload's own."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._news = Cell(0)
        self._kept = Cell(0)
        self._writing = threading.Lock()
        self._is_forgotten = False

    def changed(self) -> None:
        """There may be something to write."""
        self._news.set(self._news.value + 1)

    async def kept(self) -> None:
        """Returns when what was `changed` so far is on disk."""
        wanted = self._news.version
        await self._kept.until(lambda kept: kept >= wanted)

    async def keep(self, current: Callable[[], Record]) -> None:
        """Until cancelled: after each `changed` the disk gets what is `current`."""
        seen, on_disk = 0, None
        while True:
            seen = await self._news.changed(seen)
            record = current()
            if record == on_disk:
                self._kept.set(seen)
                continue
            try:
                await asyncio.to_thread(self._write, record)
                on_disk = record
                self._kept.set(seen)
            except OSError as error:  # a full disk: a new agent would start this sidecar again
                log.error("%s: the record is not kept on disk: %s", self._path.parent.name, error)
                seen = -1
                await asyncio.sleep(RETRY_S)

    def forget(self) -> None:
        """The workload is gone. A write may still be under way in its thread when `keep` has been cancelled: it comes
        before this, or not at all."""
        with self._writing:
            self._is_forgotten = True
            self._path.unlink(missing_ok=True)

    def _write(self, record: Record) -> None:
        with self._writing:
            if not self._is_forgotten:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_private(self._path, encode_record(record))


def record_path(home: Home, workload: WorkloadId) -> Path:
    return home.workload_dir(str(workload)) / FILE


def read_records(home: Home) -> dict[Path, Record]:
    """Every record of the home by the directory it lies in. Blocking."""
    found: dict[Path, Record] = {}
    for path in sorted((home.node_dir / "workloads").glob(f"*/{FILE}")):
        record = read_record(path)
        if record is not None and home.workload_dir(str(record.spec.id)) == path.parent:
            found[path.parent] = record
    return found


def read_record(path: Path) -> Record | None:
    """None when there is none of use; one that cannot be read is removed. Blocking."""
    try:
        if path.stat().st_mode & 0o077:
            raise BadRecord("others may read or write it")
        return decode_record(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s: the record cannot be read: %s", path.parent.name, error)
        return None
    except BadRecord as bad:
        log.warning("%s: the record is of no use and removed: %s", path.parent.name, bad)
        path.unlink(missing_ok=True)
        return None
