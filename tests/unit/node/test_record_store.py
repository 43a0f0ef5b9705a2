"""Records on disk."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from proa.core.sidecar.record import Record
from proa.core.sidecar.spec import WorkloadSpec
from proa.home import Home
from proa.node.record_store import FILE, RecordStore, read_record, read_records, record_path
from proa.runtime.polling import poll

RECORD = Record(boot="b", spec=WorkloadSpec(name="hello"), address="127.0.0.1")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "h", tmp_path)
    home.prepare()
    return home


def written(home: Home, record: Record) -> Path:
    """The file, when a store has written that record."""
    path = record_path(home, record.spec.id)

    async def scenario() -> None:
        store = RecordStore(path.parent)

        async def is_there() -> bool:
            return await asyncio.to_thread(read_record, path) == record

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(store.keep(lambda: record))
            store.changed()
            await poll(is_there, 0.01, lambda: True)
            keeping.cancel()

    asyncio.run(scenario())
    return path


def test_what_is_kept_is_read_by_the_next(home: Home) -> None:
    path = written(home, RECORD)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_records(home) == {path.parent: RECORD}


def test_what_was_forgotten_is_not_written_by_a_thread_that_comes_late(home: Home) -> None:
    path = record_path(home, RECORD.spec.id)

    async def scenario() -> None:
        store = RecordStore(path.parent)
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(store.keep(lambda: RECORD))
            store.changed()
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # the write is in its thread, or about to be
            keeping.cancel()
            store.forget()

    asyncio.run(scenario())  # waits for threads
    assert not path.exists()


@pytest.mark.parametrize("spoil", ["cut", "mode"])
def test_a_spoiled_record_is_removed(home: Home, spoil: str, caplog: pytest.LogCaptureFixture) -> None:
    path = written(home, RECORD)
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:20])
    else:
        path.chmod(0o644)
    assert read_records(home) == {}
    assert not path.exists()
    assert "of no use and removed" in caplog.text


def test_a_record_that_lies_in_another_workloads_directory_is_passed_over(home: Home) -> None:
    path = written(home, RECORD)
    other = home.workload_dir("default/other")
    other.mkdir()
    path.rename(other / FILE)
    assert read_records(home) == {}


def test_the_newest_word_wins(home: Home) -> None:
    written(home, RECORD)
    drained = msgspec.structs.replace(RECORD, is_draining=True)
    path = written(home, drained)
    assert read_records(home) == {path.parent: drained}


def test_what_was_changed_is_on_disk_when_it_is_said_to_be(home: Home) -> None:
    path = record_path(home, RECORD.spec.id)

    async def scenario() -> None:
        store, now = RecordStore(path.parent), RECORD
        await store.kept()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(store.keep(lambda: now))
            for address in ("127.0.0.2", "127.0.0.2", "127.0.0.3"):  # the second is no change
                now = msgspec.structs.replace(RECORD, address=address)
                store.changed()
                await store.kept()
                assert read_record(path) == now
            keeping.cancel()

    asyncio.run(scenario())
