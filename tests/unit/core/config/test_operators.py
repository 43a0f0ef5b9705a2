"""Which of Envoy's operators a header's value, and a format of access logs, may hold."""

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
        "%START_TIME%",
        "%START_TIME(%Y-%m-%dT%H:%M:%S.%3f%z)%",
        "%PROTOCOL()%",
        "%GRPC_STATUS(NUMBER)%",
        "%PATH(NQ:ORIG):99%",
        "%FILTER_STATE(a.b:FIELD:c):3%",
        "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
        "%METADATA(ROUTE:a:b)%",
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
        ("%FILTER_STATE%", "needs an argument; write a name"),
        ("%FILTER_STATE(a:JSON)%", "PLAIN"),
        ("%FILTER_STATE(:PLAIN)%", "not understood"),
        ("%START_TIME:3%", "without :3"),
        ("%COMMON_DURATION(a:b:s)%", "unit"),
        ("%METADATA(MESH:a)%", "ROUTE"),
        ("%UPSTREAM_METADATA(a):3%", "cut"),
        ("%GRPC_STATUS(snake)%", "SNAKE_STRING"),
        ("%PROTOCOL(\n)%", "no operator"),
        ("%ENVIRONMENT(HOME)%", "no operator"),
        ("%req(a)%", "no operator"),
    ],
)
def test_what_a_proxy_would_refuse(value: str, said: str) -> None:
    assert said in str(operators_fault(value))


def test_a_proxys_environment_is_for_what_the_operator_writes() -> None:
    assert operators_fault("%ENVIRONMENT(HOME):9%", of_operator=True) is None
    assert "no operator" in str(operators_fault("%ENVIRONMENT(HOME):9%"))
    assert "variable" in str(operators_fault("%ENVIRONMENT%", of_operator=True))
