import asyncio
import os
from pathlib import Path
from stat import S_IMODE

import pytest

from proa.adapters.key_stores.disk import DiskKeyStore
from proa.ports.failures import StorePermanent
from tests.contracts.key_store import FIRST, SECOND, KeyStoreContract


class TestDiskKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> DiskKeyStore:
        return DiskKeyStore(tmp_path / "mesh" / "ca")


def test_files_and_directories_are_their_owners_alone(tmp_path: Path) -> None:
    store = DiskKeyStore(tmp_path / "mesh" / "ca")
    before = os.umask(0)
    try:
        asyncio.run(store.create("root", FIRST))
        asyncio.run(store.replace("default/reviews-v1", SECOND))
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")
    }
    assert modes == {
        "mesh": 0o700,
        "mesh/ca": 0o700,
        "mesh/ca/root.pem": 0o600,
        "mesh/ca/default": 0o700,
        "mesh/ca/default/reviews-v1.pem": 0o600,
    }


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_others_can_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    store = DiskKeyStore(tmp_path / "ca")
    asyncio.run(store.create("root", FIRST))
    (tmp_path / "ca" / "root.pem").chmod(mode)
    with pytest.raises(StorePermanent, match="chmod 600"):
        asyncio.run(store.load("root"))


def test_a_directory_open_to_others_gets_no_key(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir(mode=0o755)
    (tmp_path / "ca").chmod(0o755)
    with pytest.raises(StorePermanent, match="chmod 700"):
        asyncio.run(DiskKeyStore(tmp_path / "ca").create("root", FIRST))
    assert list((tmp_path / "ca").iterdir()) == []


def test_a_damaged_file_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    store = DiskKeyStore(tmp_path / "ca")
    asyncio.run(store.create("root", FIRST))
    (tmp_path / "ca" / "root.pem").write_text("")
    with pytest.raises(StorePermanent, match="holds no private key"):
        asyncio.run(store.create("root", SECOND))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    store = DiskKeyStore(tmp_path / "ca")
    asyncio.run(store.create("root", FIRST))
    (tmp_path / "ca" / "other.pem").symlink_to("root.pem")
    with pytest.raises(StorePermanent):
        asyncio.run(store.load("other"))


def test_what_a_crash_left_half_written_is_no_key(tmp_path: Path) -> None:
    store = DiskKeyStore(tmp_path / "ca")
    asyncio.run(store.create("root", FIRST))
    (tmp_path / "ca" / ".intermediate.pem.0123").write_text("-----BEGIN PRI")
    assert asyncio.run(store.names()) == ("root",)
    assert asyncio.run(store.load("intermediate")) is None


def test_a_directory_that_cannot_be_made_is_permanent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorePermanent):
        asyncio.run(DiskKeyStore(tmp_path / "file" / "ca").create("root", FIRST))
