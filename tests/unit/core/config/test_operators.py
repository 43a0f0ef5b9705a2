"""Which of Envoy's operators a header's value may hold."""

import pytest

from proa.core.config.operators import operators_fault


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "100%%",
        "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "a %PROTOCOL% b %REQ(x-a)% c",
        "%REQ(:authority?x-host):10%",
        "%DYNAMIC_METADATA(a:b)%",
        "%%REQ%%",
    ],
)
def test_what_a_proxy_takes(value: str) -> None:
    assert operators_fault(value) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("100%", "%% for a percent sign"),
        ("%REQ(x-a)", "no operator"),
        ("%PROTOCOLL%", "PROTOCOL"),
        ("%PROTOCOL():3%", "alone"),
        ("%REQ%", "header's name"),
        ("%REQ()%", "header's name"),
        ("%REQ(a b)%", "header's name"),
        ("%FILTER_STATE%", "needs a name"),
        ("%ENVIRONMENT(HOME)%", "no operator"),
        ("%req(a)%", "no operator"),
    ],
)
def test_what_a_proxy_would_refuse(value: str, said: str) -> None:
    assert said in str(operators_fault(value))
