from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.unit.cli.conftest import Proa


@pytest.fixture
def root(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_secret_is_given_shown_without_its_key_and_taken_back(proa: Proa, root: Authority) -> None:
    pair = root.issue("a.example")
    words = ("secret", "create", "tls", "shop", f"--cert={pair.cert}", f"--key={pair.key}")
    assert proa(*words).stdout == "secret istio-system/shop given\n"
    assert proa("secret", "create", "ca", "roots", f"--ca={root.roots}", "-n", "edge").exit_code == 0
    listed = proa("secret", "list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["NAME", "edge/roots", "istio-system/shop"]
    assert "PRIVATE" not in proa("secret", "list", "-o", "json").stdout
    assert proa("secret", "delete", "shop").stdout == "secret istio-system/shop deleted\n"
    gone = proa("secret", "delete", "shop")
    assert (gone.exit_code, "there is no secret istio-system/shop" in gone.stderr) == (1, True)


def test_what_cannot_be_served_is_not_kept(proa: Proa, root: Authority) -> None:
    one, other = root.issue("a.example"), root.issue("b.example")
    mixed = proa("secret", "create", "tls", "shop", f"--cert={one.cert}", f"--key={other.key}")
    assert mixed.exit_code == 1
    assert "not that of the first certificate" in mixed.stderr
    assert "shop" not in proa("secret", "list").stdout


@pytest.mark.parametrize("words", [("../up",), ("a", "-n", "N S")])
def test_names_that_are_none_are_usage_errors(proa: Proa, root: Authority, words: tuple[str, ...]) -> None:
    assert proa("secret", "create", "ca", *words, f"--ca={root.roots}").exit_code == 2
    assert proa("secret", "delete", "../up").exit_code == 2
