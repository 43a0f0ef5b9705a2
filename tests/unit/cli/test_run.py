"""run, gateway, exec and node: what can be said before an agent answers."""

import pytest
from immutables import Map

from proa.cli.placing import Teller, pairs
from proa.cli.run import _health, _served_port
from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import (
    AppPort,
    GatewayPortServed,
    HealthChanged,
    HealthCheck,
    OwnerEvent,
    Placed,
    Warned,
    WorkloadSpec,
)
from tests.unit.cli.conftest import Proa


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "--name", "a", "--port", "http", "--", "x"), "is not a port"),
        (("run", "--name", "a", "--port", "80/smtp", "--", "x"), "is no protocol"),
        (("run", "--name", "a", "--upstream", "redis", "--", "x"), "write HOST:PORT"),
        (("run", "--name", "a", "--label", "app", "--", "x"), "write KEY=VALUE"),
        (("run", "--name", "A_b", "--", "x"), "is not a DNS name"),
        (("run", "--name", "a"), "Missing argument"),
        (("run", "--", "x"), "Missing option '--name'"),
        (("exec", "a"), "Missing argument"),
        (("exec", "a", "--"), "which command?"),
        (("gateway", "--label", "x"), "write KEY=VALUE"),
        (("node", "--sidecar-ports", "9"), "write LOW-HIGH"),
    ],
)
def test_usage_errors_say_what_to_write(proa: Proa, words: tuple[str, ...], told: str) -> None:
    result = proa(*words)

    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    "words", [("run", "--name", "a", "--port", "80", "--", "x"), ("gateway",), ("exec", "a", "--", "x")]
)
def test_without_an_agent_the_next_step_is_told(proa: Proa, words: tuple[str, ...]) -> None:
    result = proa(*words)

    assert result.exit_code == 1
    assert "`proa up`" in result.stderr


def test_a_protocol_for_all_ports_that_name_none() -> None:
    assert _served_port("80:auto", "shop", "grpc").protocol == "GRPC"
    assert _served_port("80:auto/http", "shop", "grpc").protocol == "HTTP"
    assert _served_port("80", "shop", "").protocol == "AUTO"


def test_a_port_is_checked_by_connecting_unless_something_better_is_said() -> None:
    assert _health(None, False, False, None) == (HealthCheck(kind="tcp"),)
    assert _health("/ok", False, False, None) == (HealthCheck(kind="http", path="/ok"),)
    assert _health(None, True, True, "check me") == (
        HealthCheck(kind="grpc"),
        HealthCheck(kind="exec", command=("check", "me")),
        HealthCheck(kind="tcp"),
    )


def test_labels_have_defaults() -> None:
    assert pairs(("version=v1", "app=x=y"), app="shop") == Map({"app": "x=y", "version": "v1"})


def test_events_are_told_once_and_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    port = AppPort(service="shop", service_port=80, sidecar_port=20001, app_port=8000)
    events: tuple[OwnerEvent, ...] = (
        Placed(id=WorkloadId("default", "shop"), env=Map(), ports=(port,)),
        HealthChanged(state="HEALTHY"),
        HealthChanged(state="HEALTHY", why="still"),
        GatewayPortServed(server_port=80, bound_port=20080, address="127.0.0.1"),
        Warned(code="exposed", text="0.0.0.0:8000 bypasses the mesh"),
    )
    for quiet in (False, True):
        teller = Teller(WorkloadSpec(name="shop"), quiet=quiet)
        for event in events:
            teller(event)

    out, err = capsys.readouterr()
    warning = "proa: warning: 0.0.0.0:8000 bypasses the mesh [exposed]"
    assert out == ""
    assert err.splitlines() == [
        "proa: default/shop is in the mesh",
        "proa:   shop:80 leads to 127.0.0.1:8000",
        "proa: default/shop is healthy",
        "proa: gateway port 80: http://127.0.0.1:20080 (server port 80 is taken or not ours to take)",
        warning,
        warning,
    ]
