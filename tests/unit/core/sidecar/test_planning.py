"""What becomes of a spec by what operators have said."""

import msgspec
from immutables import Map

from proa.core.sidecar.planning import is_made_of, planned
from proa.core.sidecar.session import GroupPlan, PlanReply
from proa.core.sidecar.spec import HealthCheck, PortSpec, WorkloadSpec

PROBE = HealthCheck(kind="http", path="/ok")
GROUP = GroupPlan(
    labels=Map({"app": "vm", "version": "v1"}),
    account="vm",
    ports=(("grpc-a", 7000), ("other", 7001)),
    network="far",
    locality="north",
    weight=7,
    health=PROBE,
)
BARE = WorkloadSpec(name="vm-1", group="vms")


def test_a_group_fills_in_what_is_not_said() -> None:
    spec = planned(BARE, PlanReply(group=GROUP))
    assert spec.labels == GROUP.labels
    assert [(each.service, each.service_port, each.app_port, each.protocol) for each in spec.ports] == [
        ("vm-1", 7000, 7000, "GRPC"),
        ("vm-1", 7001, 7001, "AUTO"),
    ]
    assert (spec.account, spec.network, spec.locality, spec.weight) == ("vm", "far", "north", 7)
    assert spec.health == (PROBE,)


def test_what_is_said_counts() -> None:
    port = PortSpec(service="a", service_port=1, app_port=2)
    own = msgspec.structs.replace(
        BARE,
        labels=Map({"version": "v2"}),
        ports=(port,),
        account="mine",
        locality="south",
        weight=2,
        health=(HealthCheck(),),
    )
    spec = planned(own, PlanReply(group=GROUP))
    assert dict(spec.labels) == {"app": "vm", "version": "v2"}
    assert (spec.ports, spec.account, spec.locality, spec.weight) == ((port,), "mine", "south", 2)
    assert spec.health == (HealthCheck(),)


def test_a_service_is_the_app_where_a_group_says_none() -> None:
    spec = planned(msgspec.structs.replace(BARE, service="shop"), PlanReply(group=GroupPlan()))
    assert dict(spec.labels) == {"app": "shop"}


def test_an_owner_that_is_back_finds_what_it_asked_for() -> None:
    assert planned(BARE, PlanReply()) == BARE
    spec = planned(BARE, PlanReply(concurrency=2, environment=Map({"A": "b"})))
    assert (spec.concurrency, dict(spec.environment)) == (2, {"A": "b"})
    assert is_made_of(spec, BARE)
    assert is_made_of(BARE, BARE)
    assert not is_made_of(spec, msgspec.structs.replace(BARE, weight=2))
    assert not is_made_of(BARE, spec)
