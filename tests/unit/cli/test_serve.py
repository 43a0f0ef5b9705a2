"""What the flags of `proa serve` refuse before anything is opened."""

from pathlib import Path

import pytest

from proa.cli import serve
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
        (("--ca-spire", "spire"), "needs --ca-spire-socket"),
        (("--ca-spire", "spire", "--ca-spire-socket", "tcp://x"), "needs --ca-spire-socket"),
        (("--ca-spire", "spire:x", "--ca-spire-socket", "/s"), "is no HOST[:PORT]"),
        (("--ca-spire", "spire:1", "--ca-vault", "https://v/pki"), "of one of them"),
        (("--admin-roles", "FILE"), "--admin-roles needs --admin-port"),
    ],
)
def test_flags_that_do_not_go_together(proa: Proa, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = proa("serve", *(file if word == "FILE" else word for word in words))
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("server", "socket", "found"),
    [
        ("spire", "/run/a.sock", ("spire", 8081, "/run/a.sock")),
        ("spire:9", "unix:///run/a.sock", ("spire", 9, "/run/a.sock")),
        ("[::1]", "unix:/run/a.sock", ("::1", 8081, "/run/a.sock")),
        ("[::1]:9", "unix://run/a.sock", ("::1", 9, "/run/a.sock")),
    ],
)
def test_where_spire_is(server: str, socket: str, found: tuple[str, int, str]) -> None:
    access = serve._spire(server, socket)
    assert access is not None
    assert (access.host, access.port, str(access.socket)) == found
