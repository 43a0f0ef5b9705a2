import pytest

from proa.core.config.policy_values import (
    host_fault,
    method_doubt,
    method_fault,
    path_fault,
    pattern_doubt,
    pattern_fault,
    port_fault,
    principal_fault,
)


@pytest.mark.parametrize("text", ["1", "80", "65535"])
def test_ports(text: str) -> None:
    assert port_fault(text) is None


@pytest.mark.parametrize("text", ["0", "65536", "http", "", "-1", "8080*"])
def test_what_is_no_port(text: str) -> None:
    assert port_fault(text)


def test_patterns() -> None:
    assert pattern_fault("a*") is None
    assert pattern_fault("")


@pytest.mark.parametrize("text", ["/", "/a", "/a*", "*/a", "*", "/a%20b", "/a*b"])
def test_paths(text: str) -> None:
    assert path_fault(text) is None


@pytest.mark.parametrize("text", ["", "a", "a/b", "{*}/a", "/a?x=1", "*?x", "/a b", "/a\n"])
def test_what_no_request_has_as_its_path(text: str) -> None:
    assert path_fault(text)


@pytest.mark.parametrize("text", ["a.example", "a.example:*", "*.example", "WEB:80", "*"])
def test_hosts(text: str) -> None:
    assert host_fault(text) is None


@pytest.mark.parametrize("text", ["", "http://a", "a b", "a/b"])
def test_what_is_no_host(text: str) -> None:
    assert host_fault(text)


def test_methods() -> None:
    assert [bool(method_fault(text)) for text in ("GET", "PURGE", "GE*", "GET POST", "")] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert [bool(method_doubt(text)) for text in ("GET", "get", "Post", "purge", "g*")] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_principals_have_no_scheme() -> None:
    assert principal_fault("cluster.local/ns/a/sa/b") is None
    assert principal_fault("spiffe://cluster.local/ns/a/sa/b")
    assert principal_fault("")


@pytest.mark.parametrize("text", ["*", "a*", "*a", "a", "", "/a/{*}/{**}"])
def test_stars_that_stand_for_any_text(text: str) -> None:
    assert pattern_doubt(text) is None


@pytest.mark.parametrize("text", ["a*b", "*a*", "a*b*", "**a"])
def test_stars_that_stand_for_themselves(text: str) -> None:
    assert pattern_doubt(text)
