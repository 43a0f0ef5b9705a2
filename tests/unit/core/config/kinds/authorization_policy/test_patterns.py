import pytest

from proa.core.config.kinds.authorization_policy.patterns import accounts_fault, path_fault


@pytest.mark.parametrize("path", ["/a", "/a*", "*/a", "*", "/{*}/a", "/a/{**}", "/{**}/a", "/{*}/{**}"])
def test_fine_paths(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize("path", ["", "/{a}", "/a{*}", "/{*", "/{**}/{**}", "/{**}/{*}", "/{*}/a*"])
def test_bad_paths(path: str) -> None:
    assert path_fault(path) is not None


def test_accounts() -> None:
    accounts = ("a", "ns/a", "ns/a*", "a/b/c", "", "N/a", "a" * 400)
    assert [account for account in accounts if accounts_fault(account) is None] == ["a", "ns/a"]
