import pytest

from proa.core.config.policy_values import pattern_fault, port_fault


@pytest.mark.parametrize("text", ["1", "80", "65535"])
def test_ports(text: str) -> None:
    assert port_fault(text) is None


@pytest.mark.parametrize("text", ["0", "65536", "http", "", "-1", "8080*"])
def test_what_is_no_port(text: str) -> None:
    assert port_fault(text)


def test_patterns() -> None:
    assert pattern_fault("a*") is None
    assert pattern_fault("")
