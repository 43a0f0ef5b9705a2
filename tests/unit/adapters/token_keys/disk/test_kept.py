"""The last good keys over a restart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proa.adapters.token_keys.disk import KeysOnDisk
from proa.core.auth.key_sets import NO_KEYS
from proa.ports.token_keys import KeptKeys
from tests.contracts.kept_keys import FIRST, ONE, KeptKeysContract, Opened


class TestKeysOnDisk(KeptKeysContract):
    @pytest.fixture
    def open_kept_keys(self, tmp_path: Path) -> Callable[[], Opened]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[KeptKeys]:
            yield KeysOnDisk(tmp_path / "keys")

        return opened


def test_nobody_else_may_look_or_write(tmp_path: Path) -> None:
    asyncio.run(KeysOnDisk(tmp_path / "keys").keep(ONE, FIRST))
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


def test_a_file_of_an_older_program_has_its_own_age(tmp_path: Path) -> None:
    keys = KeysOnDisk(tmp_path)
    asyncio.run(keys.keep(ONE, FIRST))
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text().replace(',"fetched":1000.5', ""))
    kept = asyncio.run(keys.load())[ONE]
    assert kept.keys == NO_KEYS
    assert kept.fetched == file.stat().st_mtime


def test_damage_is_told_and_costs_nothing_but_a_fetch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = KeysOnDisk(tmp_path)
    asyncio.run(keys.keep(ONE, FIRST))
    (file,) = tmp_path.glob("*.json")
    file.write_bytes(file.read_bytes()[:-5])
    assert dict(asyncio.run(keys.load())) == {}
    assert str(file) in caplog.text
    asyncio.run(keys.keep(ONE, FIRST))
    assert dict(asyncio.run(keys.load())) == {ONE: FIRST}
    (tmp_path / "file").write_text("")
    asyncio.run(KeysOnDisk(tmp_path / "file").keep(ONE, FIRST))
    assert "not kept" in caplog.text
