"""What reaches the disk, when, and which files are not believed."""

import asyncio
import logging
from pathlib import Path

import msgspec
import pytest

from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.sidecar.session import Registration
from proa.core.sidecar.table_file import Table, encode_table
from proa.home import write_private
from proa.node import table_store
from proa.node.table_store import FILE, TableStore
from proa.runtime.polling import poll

FACTS = Registration(id=WorkloadId("default", "web"), node="here", account="web", address="127.0.0.1")


def table(digest: str) -> Table:
    cluster = Resource(type=ResourceType.CLUSTER, name="c", body=b"body", digest=digest)
    return Table(facts=FACTS, roots=("r",), resources=(cluster,))


def load(directory: Path) -> Table | None:
    return asyncio.run(TableStore(directory).load())


async def until_on_disk(path: Path, wanted: Table | None) -> None:
    async def is_there() -> bool:
        return found(path) == (wanted and encode_table(wanted))

    async with asyncio.timeout(60):
        await poll(is_there, 0.01, lambda: True)


def found(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # it may go between a look and a read
        return None


async def write_all(directory: Path, *tables: Table | None) -> None:
    """Each in turn, waiting until the disk has it."""
    store = TableStore(directory)
    now: list[Table | None] = [None]
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(store.keep(lambda: now[0]))
        for each in tables:
            now[0] = each
            store.changed()
            await until_on_disk(directory / FILE, each)
        keeping.cancel()


def test_what_was_taken_comes_back_and_is_the_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "default_web"
    asyncio.run(write_all(directory, table("1"), table("2")))
    assert load(directory) == table("2")
    assert (directory / FILE).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in directory.iterdir()] == [FILE]


def test_a_refused_workloads_table_goes(tmp_path: Path) -> None:
    asyncio.run(write_all(tmp_path, table("1"), None))
    assert load(tmp_path) is None

    async def forgotten() -> None:
        await write_all(tmp_path, table("1"))
        store = TableStore(tmp_path)
        await store.load()
        await store.forget()
        await store.forget()

    asyncio.run(forgotten())
    assert list(tmp_path.iterdir()) == []


def test_many_changes_are_few_writes_and_the_last_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []

    def count(path: Path, content: str | bytes) -> None:
        assert isinstance(content, bytes)
        written.append(content)
        write_private(path, content)

    monkeypatch.setattr(table_store, "write_private", count)

    async def scene() -> None:
        store = TableStore(tmp_path)
        number = 0
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(store.keep(lambda: table(str(number))))
            for number in range(200):  # noqa: B007 - `keep` reads it
                store.changed()
                await asyncio.sleep(0)
            await until_on_disk(tmp_path / FILE, table("199"))
            store.changed()
            keeping.cancel()

    asyncio.run(scene())
    assert written[-1] == encode_table(table("199"))
    assert len(written) <= 20, "few, however the writer's thread is let run"


@pytest.mark.parametrize("damage", ["cut", "version", "open", "empty"])
def test_a_file_of_no_use_is_told_of_and_removed(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = encode_table(table("1"))
    path = tmp_path / FILE
    write_private(
        path,
        {"cut": data[:-3], "version": data.replace(b" 1 ", b" 9 ", 1), "open": data, "empty": b""}[damage],
    )
    if damage == "open":
        path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert load(tmp_path) is None
    assert "of no use and removed" in caplog.text
    assert not path.exists()


def test_what_a_crash_left_of_a_write_is_swept(tmp_path: Path) -> None:
    write_private(tmp_path / FILE, encode_table(table("1")))
    (tmp_path / f".{FILE}.4711").write_bytes(b"half")
    assert load(tmp_path) == table("1")
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_a_full_disk_leaves_the_old_table_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_full = [True]

    def may_fail(path: Path, content: str | bytes) -> None:
        if is_full.pop() if is_full else False:
            raise OSError(28, "No space left on device")
        write_private(path, content)

    monkeypatch.setattr(table_store, "write_private", may_fail)
    monkeypatch.setattr(table_store, "RETRY_S", 0.01)
    write_private(tmp_path / FILE, encode_table(table("0")))
    asyncio.run(write_all(tmp_path, table("1")))
    assert "No space left" in caplog.text
    assert load(tmp_path) == table("1")


def test_facts_make_the_difference(tmp_path: Path) -> None:
    asyncio.run(write_all(tmp_path, table("1")))
    loaded = load(tmp_path)
    assert loaded is not None
    assert loaded.is_of(FACTS, ("r", "s"))
    assert not loaded.is_of(msgspec.structs.replace(FACTS, address="10.0.0.1"), ("r",))
