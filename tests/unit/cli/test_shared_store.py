"""Which flags of a shared store go together."""

from pathlib import Path

import click
import pytest

from proa.cli.shared_store import StoreFiles, shared_store

NONE = StoreFiles(ca=None, cert=None, key=None, user="", password=None)
SEAL = Path("seal")


def test_without_a_store_all_is_in_the_home() -> None:
    assert shared_store(None, None, NONE) is None


def test_everything_arrives() -> None:
    files = StoreFiles(ca=Path("ca"), cert=Path("c"), key=Path("k"), user="u", password=Path("p"))
    made = shared_store("etcds://a:1,b:2/x", SEAL, files)
    assert made is not None
    assert made.seal_key == SEAL
    assert made.access.endpoints == ("https://a:1", "https://b:2")
    assert (made.access.ca_file, made.access.cert_file, made.access.key_file) == (
        Path("ca"),
        Path("c"),
        Path("k"),
    )
    assert (made.access.user, made.access.password_file, made.access.prefix) == ("u", Path("p"), "/x/")


@pytest.mark.parametrize(
    ("store", "seal", "files", "words"),
    [
        ("etcd://a", None, NONE, "not put into etcd unsealed"),
        (None, SEAL, NONE, "go with --store"),
        (None, None, NONE._replace(user="u"), "go with --store"),
        ("etcd://a", SEAL, NONE._replace(ca=Path("ca")), "need etcds"),
        ("etcds://a", SEAL, NONE._replace(cert=Path("c")), "go together"),
        ("etcd://a", SEAL, NONE._replace(user="u"), "go together"),
        ("mysql://a", SEAL, NONE, "a store is etcd://"),
    ],
)
def test_what_does_not_go_together(
    store: str | None, seal: Path | None, files: StoreFiles, words: str
) -> None:
    with pytest.raises(click.UsageError) as refused:
        shared_store(store, seal, files)
    assert words in str(refused.value)
