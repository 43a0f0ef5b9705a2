import pytest

from proa.core.config.gateway_api.check.names import hostname_fault


@pytest.mark.parametrize(
    ("host", "is_fine"),
    [
        ("a.example.com", True),
        ("*.example.com", True),
        ("a.*.com", False),
        ("10.0.0.1", False),
        ("a:80", False),
    ],
)
def test_names(host: str, is_fine: bool) -> None:
    assert (hostname_fault(host) is None) == is_fine
