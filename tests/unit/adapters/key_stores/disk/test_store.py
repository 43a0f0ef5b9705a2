import asyncio
import os
from pathlib import Path
from stat import S_IMODE

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proa.adapters.key_stores.disk import DiskKeyStore, read_passphrase
from proa.core.auth.ca import private_pem
from proa.ports.failures import StorePermanent
from proa.ports.key_store import KeyEntry
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


REAL = KeyEntry(
    key_pem=private_pem(ec.derive_private_key(5, ec.SECP256R1())), chain_pem=FIRST.chain_pem, note="{}"
)


def test_with_a_passphrase_no_key_is_on_disk_in_the_clear(tmp_path: Path) -> None:
    store = DiskKeyStore(tmp_path / "ca", b"sixteen bytes or more")
    assert asyncio.run(store.create("root", REAL)) == REAL
    asyncio.run(store.replace("other", REAL))
    for name in ("root", "other"):
        text = (tmp_path / "ca" / f"{name}.pem").read_text()
        assert "BEGIN ENCRYPTED PRIVATE KEY" in text
        assert REAL.key_pem.splitlines()[1] not in text
        assert asyncio.run(store.load(name)) == REAL
    with pytest.raises(StorePermanent, match="--ca-passphrase-file"):
        asyncio.run(DiskKeyStore(tmp_path / "ca").load("root"))
    with pytest.raises(StorePermanent, match="another passphrase"):
        asyncio.run(DiskKeyStore(tmp_path / "ca", b"another one of sixteen").load("root"))


def test_a_key_from_before_is_read_and_encrypted_when_it_is_written_again(tmp_path: Path) -> None:
    asyncio.run(DiskKeyStore(tmp_path / "ca").create("root", REAL))
    store = DiskKeyStore(tmp_path / "ca", b"sixteen bytes or more")
    assert asyncio.run(store.load("root")) == REAL
    asyncio.run(store.replace("root", REAL))
    assert "ENCRYPTED" in (tmp_path / "ca" / "root.pem").read_text()


def test_passphrases_that_protect_nothing_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("sixteen bytes or more\nrest")
    file.chmod(0o644)
    with pytest.raises(StorePermanent, match="chmod 600"):
        read_passphrase(file)
    file.chmod(0o600)
    assert read_passphrase(file) == b"sixteen bytes or more"
    file.write_text("short\n")
    with pytest.raises(StorePermanent, match="16 bytes"):
        read_passphrase(file)
    with pytest.raises(StorePermanent):
        read_passphrase(tmp_path / "none")
