"""What the flags of `proa serve` refuse before anything is opened."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Proa


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ca-secret", "proa-ca"), "is no NAMESPACE/NAME"),
        (("--ca-secret", "a/b/c"), "is no NAMESPACE/NAME"),
        (("--ca-secret", "../b"), "is no NAMESPACE/NAME"),
        (("--ca-secret", "a/b", "--ca-secret-server", "http://x"), "https://HOST"),
        (("--ca-secret", "a/b", "--store", "etcd://x/y"), "neither --store nor"),
        (("--ca-secret", "a/b", "--ca-passphrase-file", "FILE"), "neither --store nor"),
        (("--admin-roles", "FILE"), "--admin-roles needs --admin-port"),
    ],
)
def test_flags_that_do_not_go_together(proa: Proa, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = proa("serve", *(file if word == "FILE" else word for word in words))
    assert done.exit_code == 2
    assert said in done.stderr
