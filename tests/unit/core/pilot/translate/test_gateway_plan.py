"""Names and namespaces of a gateway's servers; how servers share ports is tested beside `gateway`."""

import pytest

from proa.core.pilot.translate.gateway_plan import covers, dns_name, owner_admits


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ("*", "a.example", True),
        ("*", "*.example", True),
        ("*.example", "a.example", True),
        ("*.example", "*.a.example", True),
        ("*.example", "example", False),
        ("*.example", ".example", False),
        ("*-a.example", "x-a.example", True),
        ("a.example", "a.example", True),
        ("a.example", "*.example", False),
    ],
)
def test_covering(wide: str, narrow: str, is_covered: bool) -> None:
    assert covers(wide, narrow) is is_covered


def test_who_may_use_a_host() -> None:
    assert dns_name("shop/A.example") == "a.example"
    assert owner_admits("*", "shop", "default")
    assert owner_admits("shop", "shop", "default")
    assert owner_admits(".", "default", "default")
    assert not owner_admits(".", "shop", "default")
