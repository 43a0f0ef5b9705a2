import pytest

from proa.core.config.headers import header_name_fault


@pytest.mark.parametrize("name", ["x-user", "X_User", ":path", "a!b"])
def test_names(name: str) -> None:
    assert header_name_fault(name) is None


@pytest.mark.parametrize("name", ["", "a b", "a:b", "käse", "a\n", "::a"])
def test_no_names(name: str) -> None:
    assert "no header name" in str(header_name_fault(name))
