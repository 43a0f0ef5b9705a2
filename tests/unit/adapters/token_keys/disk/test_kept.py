"""The last good keys over a restart."""

from pathlib import Path

import pytest

from proa.adapters.token_keys.disk import KeysOnDisk
from proa.core.auth.key_sets import NO_KEYS
from proa.core.model.token_keys import KeySource

ONE, OTHER = KeySource("https://a/keys"), KeySource("", "https://b")


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    assert dict(KeysOnDisk(directory).load()) == {}
    keys = KeysOnDisk(directory)
    keys.keep(ONE, NO_KEYS)
    keys.keep(OTHER, NO_KEYS)
    assert dict(KeysOnDisk(directory).load()) == {ONE: NO_KEYS, OTHER: NO_KEYS}
    assert directory.stat().st_mode & 0o077 == 0
    keys.forget(ONE)
    keys.forget(ONE)
    assert dict(KeysOnDisk(directory).load()) == {OTHER: NO_KEYS}


def test_damage_is_told_and_costs_nothing_but_a_fetch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = KeysOnDisk(tmp_path)
    keys.keep(ONE, NO_KEYS)
    (file,) = tmp_path.glob("*.json")
    file.write_bytes(file.read_bytes()[:-5])
    assert dict(keys.load()) == {}
    assert str(file) in caplog.text
    keys.keep(ONE, NO_KEYS)
    assert dict(keys.load()) == {ONE: NO_KEYS}
    (tmp_path / "file").write_text("")
    KeysOnDisk(tmp_path / "file").keep(ONE, NO_KEYS)
    assert "not kept" in caplog.text
