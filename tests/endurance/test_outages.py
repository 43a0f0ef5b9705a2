"""The acceptance form of what `tests/mesh/test_without_control_plane.py` says shortly: outages of half a minute under
load, five times each, and how soon everything was back. About twenty-five minutes."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.endurance.conftest import Scale, Table
from tests.mesh.harness import why_no_envoy
from tests.mesh.outages import (
    Host,
    Outage,
    agent_killed,
    control_plane_killed,
    control_plane_parted,
    control_plane_stopped,
    envoy_killed,
    one_host,
    power_cut_and_back,
    two_hosts,
    without_control_plane,
)

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(1800)]

BACK_WITHIN_S: Final = 5.0
SERVING_WITHIN_S: Final = 2.0
SERVING_AT_MOST_S: Final = 5.0


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    _need_programs()
    with one_host() as host:
        yield host


@pytest.fixture(scope="module")
def parted_host() -> Iterator[Host]:
    _need_programs()
    with two_hosts() as host:
        yield host


def _need_programs() -> None:
    if reason := why_no_envoy():
        pytest.skip(reason)
    if shutil.which("curl") is None:
        pytest.skip("needs the command curl")


def unnoticed(scene: Callable[[], Outage], scale: Scale, table: Table) -> None:
    """No failed request, nothing sent again, and back in time by the median."""
    for _ in range(scale.repetitions):
        outage = scene()
        table.add(
            requests=outage.load.sent,
            failed=len(outage.load.failures),
            p99_ms=outage.load.latency(99) * 1000,
            back_s=outage.back_s,
            resent=outage.resent,
        )
        assert not outage.load.failures, outage.load.summary()
        assert outage.resent == 0, "nothing changed, so nothing is sent"
    assert table.median("back_s") < BACK_WITHIN_S


def test_the_control_plane_is_killed(host: Host, scale: Scale, table: Table) -> None:
    unnoticed(lambda: control_plane_killed(host, away_s=scale.away_s, around_s=scale.around_s), scale, table)


def test_the_control_plane_stands_still(host: Host, scale: Scale, table: Table) -> None:
    unnoticed(lambda: control_plane_stopped(host, away_s=scale.away_s, around_s=scale.around_s), scale, table)


@pytest.mark.root
def test_the_control_plane_is_parted_from_the_node(parted_host: Host, scale: Scale, table: Table) -> None:
    unnoticed(
        lambda: control_plane_parted(parted_host, away_s=scale.away_s, around_s=scale.around_s), scale, table
    )


@pytest.mark.parametrize("away", [False, True], ids=["control plane up", "control plane down"])
@pytest.mark.parametrize("victim", ["echo", "caller"])
def test_an_envoy_is_killed(host: Host, scale: Scale, table: Table, victim: str, away: bool) -> None:
    host.node.settle()
    with without_control_plane(host) if away else contextlib.nullcontext():
        for _ in range(scale.repetitions):
            recovery = envoy_killed(host, victim, around_s=scale.around_s)
            table.add(
                requests=recovery.load.sent,
                failed=len(recovery.load.failures),
                serving_s=recovery.serving_s,
            )
    assert table.median("serving_s") < SERVING_WITHIN_S
    assert max(table.values("serving_s")) < SERVING_AT_MOST_S


def test_the_power_of_the_node_is_cut(host: Host, scale: Scale, table: Table) -> None:
    """kill -9 of everything of the node, while the control plane is away: up again from disk. Apps come back as an
    init system would start them."""
    host.control.settle()
    for _ in range(scale.repetitions):
        with without_control_plane(host):
            table.add(serving_s=power_cut_and_back(host))
        for name in ("caller", "echo"):
            host.node.workloads[name].until_printed("is back and has accepted")


def test_the_agent_is_killed(host: Host, scale: Scale, table: Table) -> None:
    """Traffic goes on; the next agent adopts every Envoy and every app, and nothing is sent again."""
    for _ in range(scale.repetitions):
        adoption = agent_killed(host, away_s=scale.away_s / 6, around_s=scale.around_s)
        table.add(
            requests=adoption.load.sent,
            failed=len(adoption.load.failures),
            back_s=adoption.back_s,
            resent=adoption.resent,
        )
        assert not adoption.load.failures, adoption.load.summary()
        assert adoption.envoys[0] == adoption.envoys[1], "an Envoy was started again"
        assert adoption.apps[0] == adoption.apps[1], "an app was started again"
        assert adoption.resent == 0, "nothing changed, so nothing is sent"
