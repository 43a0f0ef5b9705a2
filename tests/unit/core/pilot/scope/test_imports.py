"""What lists of hosts take in."""

import pytest

from proa.core.pilot.scope.imports import Imports, imports_of

A = "a.shop.svc.cluster.local"


def taken(*written: str) -> Imports:
    found = imports_of(written, "default")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "namespace", "host", "has"),
    [
        (["./*"], "default", "x", True),
        (["./*"], "shop", A, False),
        (["shop/*"], "shop", A, True),
        (["*/*.shop.svc.cluster.local"], "shop", A, True),
        (["*/*.shop.svc.cluster.local"], "shop", "*.shop.svc.cluster.local", True),
        ([f"*/{A}"], "shop", A, True),
        ([f"*/{A.upper()}"], "shop", A, True),
        ([f"default/{A}"], "shop", A, False),
        ([f"*/{A}"], "shop", "*.shop.svc.cluster.local", False),
        (["~/*"], "default", "x", False),
        (["*/*", "~shop/*"], "shop", A, False),
        (["*/*", "~shop/*"], "default", A, True),
        (["*/*", f"~*/{A}"], "shop", A, False),
        (["*/*", f"~*/{A}"], "shop", "b.shop.svc.cluster.local", True),
        (["*/*", "~./*.com"], "default", "a.com", False),
    ],
)
def test_a_host(written: list[str], namespace: str, host: str, has: bool) -> None:
    assert taken(*written).has(namespace, host) is has
    if not host.startswith("*"):
        assert taken(*written).touches(namespace, host) is has


@pytest.mark.parametrize(
    ("written", "pattern", "touches"),
    [
        (["*/a.example.com"], "*.example.com", True),
        (["*/*.a.example.com"], "*.example.com", True),
        (["*/a.example.com"], "*.example.org", False),
        (["default/a.example.com"], "*.example.com", False),
        (["*/*", "~*/*.example.com"], "*.example.com", False),
    ],
)
def test_rules_for_a_wildcard_touch_what_is_taken_of_it(
    written: list[str], pattern: str, touches: bool
) -> None:
    assert taken(*written).touches("shop", pattern) is touches


def test_everything_is_no_limit() -> None:
    assert imports_of(["*/*"], "default") is None
    assert imports_of(["./*", "*/*"], "default") is None
    assert imports_of(["*/*", "~shop/*"], "default") is not None


def test_lists_that_mean_the_same_are_equal() -> None:
    assert taken("./*", "shop/a.com") == taken("shop/a.com", "default/*", "~/*")
    assert hash(taken("./*")) == hash(taken("default/*"))
    assert imports_of(["./*"], "shop") != taken("./*")
