import pytest

from proa.core.config.kinds.authorization_policy.patterns import (
    accounts_fault,
    path_fault,
    pattern_fault,
    port_fault,
)


@pytest.mark.parametrize("path", ["/a", "/a*", "*/a", "*", "/{*}/a", "/a/{**}", "/{**}/a", "/{*}/{**}"])
def test_fine_paths(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize("path", ["", "/{a}", "/a{*}", "/{*", "/{**}/{**}", "/{**}/{*}", "/{*}/a*"])
def test_bad_paths(path: str) -> None:
    assert path_fault(path) is not None


def test_ports_accounts_and_patterns() -> None:
    assert [port for port in ("1", "65535", "0", "65536", "", "http", "1.5") if port_fault(port) is None] == [
        "1",
        "65535",
    ]
    accounts = ("a", "ns/a", "ns/a*", "a/b/c", "", "N/a", "a" * 400)
    assert [account for account in accounts if accounts_fault(account) is None] == ["a", "ns/a"]
    assert pattern_fault("*a") is None
    assert pattern_fault("") is not None
