"""The kill list of `tests/endurance`, played every day by its shortest: an Envoy dies while the control plane is away.

And the eyes of its verdict, which have to see what is wrong.
"""

import pytest

from proa.core.config.tree import Json
from tests.endurance.aftermath import addresses, differences, envoy_versions
from tests.endurance.kill_list import Change, Fault, KillList
from tests.endurance.kill_story import play
from tests.mesh.harness import why_no_envoy

SHORT = KillList(
    seed=0,
    seconds=16,
    faults=(
        Fault(at=0, lasts=12, kind="kill control plane", target="control"),
        Fault(at=6, lasts=0, kind="kill envoy", target="echo-b"),
    ),
    changes=(Change(at=3, lasts=0, kind="apply", choice=0.5),),
)


@pytest.mark.mesh
def test_a_short_list_leaves_no_trace() -> None:
    if reason := why_no_envoy():
        pytest.skip(reason)
    verdict = play(lambda _: SHORT, after_s=2.0)
    print("\n".join(verdict.told))
    assert not verdict.problems, "\n".join(verdict.problems)


def test_every_difference_is_told() -> None:
    has = {("CLUSTER", "a"): "1", ("CLUSTER", "b"): "1", ("ROUTE", "80"): "1"}
    wanted = {("CLUSTER", "a"): "1", ("CLUSTER", "b"): "2", ("LISTENER", "c"): "1"}
    assert differences("x", has, wanted) == [
        "x lacks ('LISTENER', 'c')",
        "x still has ('ROUTE', '80')",
        "x has ('CLUSTER', 'b') as 1, not 2",
    ]
    assert differences("x", wanted, wanted) == []


def test_an_envoy_is_asked_for_what_it_serves_by() -> None:
    dump: list[dict[str, Json]] = [
        {"dynamic_active_clusters": [{"version_info": "1", "cluster": {"name": "a"}}]},
        {
            "dynamic_listeners": [
                {"name": "l", "active_state": {"version_info": "2", "listener": {"name": "l"}}},
                {"name": "warming", "warming_state": {"version_info": "3", "listener": {"name": "warming"}}},
            ]
        },
        {"static_route_configs": [{"route_config": {"name": "inbound"}}]},
    ]
    assert envoy_versions(dump) == {("CLUSTER", "a"): "1", ("LISTENER", "l"): "2"}


@pytest.mark.parametrize(
    ("health", "group", "endpoint"),
    [("health_status", "lb_endpoints", "socket_address"), ("healthStatus", "lbEndpoints", "socketAddress")],
)
def test_addresses_are_read_in_either_spelling(health: str, group: str, endpoint: str) -> None:
    port = "port_value" if endpoint == "socket_address" else "portValue"
    one: Json = {"endpoint": {"address": {endpoint: {"address": "10.0.0.1", port: 80}}}, health: "HEALTHY"}
    assignment: Json = {"cluster_name": "outbound|80||a", "endpoints": [{group: [one]}]}
    dump: list[dict[str, Json]] = [{"dynamic_endpoint_configs": [{"endpoint_config": assignment}]}]
    assert addresses(dump) == {("ENDPOINT", "outbound|80||a"): "10.0.0.1:80 HEALTHY"}
