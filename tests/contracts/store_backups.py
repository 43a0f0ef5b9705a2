"""What every StoreBackups must do. An adapter's test subclasses StoreBackupsContract and says how to open one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from stat import S_IMODE

import msgspec
import pytest

from proa.ports.config_store import ConfigStore
from proa.ports.store_backup import Backup, BackupRefused, StoreBackups
from tests.contracts.config_store import PATIENCE, A, B, applied, change, put


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Backups, and the configuration in the same store."""

    config: ConfigStore
    backups: StoreBackups


Opened = AbstractAsyncContextManager[Pair]
Open = Callable[[Path | None], Opened]
Body = Callable[[Pair], Awaitable[None]]


class StoreBackupsContract:
    """Subclasses give `open_pair`, a fixture: called with None it opens the store, with a backup the store that was
    restored from it."""

    @pytest.fixture
    def run(self, open_pair: Open) -> Callable[..., None]:
        def run(body: Body, restored_from: Path | None = None) -> None:
            async def opened() -> None:
                async with asyncio.timeout(PATIENCE), open_pair(restored_from) as pair:
                    await body(pair)

            asyncio.run(opened())

        return run

    def test_a_backup_is_the_store_of_that_moment(self, run: Callable[..., None], tmp_path: Path) -> None:
        file = tmp_path / "copy"

        async def body(pair: Pair) -> None:
            await applied(pair.config, change(put(A)))
            made = await pair.backups.backup(file, 7.0)
            assert made == Backup(file=str(file), version=1, size=file.stat().st_size, time=7.0)
            await applied(pair.config, change(put(B)))

        async def restored(pair: Pair) -> None:
            state = await pair.config.state()
            assert (state.version, set(state.objects)) == (1, {A})
            assert (await applied(pair.config, change(put(B)))).version == 2

        run(body)
        run(restored, file)

    def test_a_backup_is_its_owners_alone(self, run: Callable[..., None], tmp_path: Path) -> None:
        async def body(pair: Pair) -> None:
            await pair.backups.backup(tmp_path / "copy", 7.0)
            assert S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600

        run(body)

    def test_writers_go_on_while_a_backup_is_made(self, run: Callable[..., None], tmp_path: Path) -> None:
        async def body(pair: Pair) -> None:
            async with asyncio.TaskGroup() as tasks:
                copies = [tasks.create_task(pair.backups.backup(tmp_path / f"{n}", 1.0)) for n in range(3)]
                for number in range(20):
                    await applied(pair.config, change(put(A, f'{{"a":{number}}}')))
            assert all(isinstance(each.result(), Backup) for each in copies)
            assert (await pair.config.state()).version == 20

        run(body)

    def test_a_newer_backup_takes_the_place_of_an_older(
        self, run: Callable[..., None], tmp_path: Path
    ) -> None:
        async def body(pair: Pair) -> None:
            await pair.backups.backup(tmp_path / "copy", 1.0)
            await applied(pair.config, change(put(A)))
            made = await pair.backups.backup(tmp_path / "copy", 2.0)
            assert isinstance(made, Backup)
            assert made.version == 1

        run(body)

    @pytest.mark.parametrize(
        ("name", "words"),
        [("theirs.txt", "no backup of a store"), ("missing/copy", "no directory"), ("", "give another name")],
    )
    def test_other_files_are_left_alone(
        self, run: Callable[..., None], tmp_path: Path, name: str, words: str
    ) -> None:
        theirs = tmp_path / "theirs.txt"
        theirs.write_text("a letter")

        async def body(pair: Pair) -> None:
            refused = await pair.backups.backup(tmp_path / name, 1.0)
            assert isinstance(refused, BackupRefused)
            assert words in refused.reason
            assert theirs.read_text() == "a letter"

        run(body)

    def test_a_relative_path_is_refused(self, run: Callable[..., None]) -> None:
        async def body(pair: Pair) -> None:
            assert isinstance(await pair.backups.backup(Path("copy"), 1.0), BackupRefused)

        run(body)
