import pytest

from proa.core.config.headers import header_name_fault, header_value_fault


@pytest.mark.parametrize("name", ["x-user", "X_User", ":path", "a!b"])
def test_names(name: str) -> None:
    assert header_name_fault(name) is None


@pytest.mark.parametrize("name", ["", "a b", "a:b", "käse", "a\n", "::a"])
def test_no_names(name: str) -> None:
    assert "no header name" in str(header_name_fault(name))


def test_values() -> None:
    assert header_value_fault("%PROTOCOL% 100%%") is None
    assert "line breaks" in str(header_value_fault("a\r\nb"))
    assert "no operator" in str(header_value_fault("%NOTHING%"))
