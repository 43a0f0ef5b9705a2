"""The fold: what it touches, and how several sources make one service."""

import msgspec
import pytest
from immutables import Map

from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef
from proa.core.model.service import Selector
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import (
    Change,
    Contribution,
    Instance,
    MeshSnapshot,
    SelectedPort,
    ServiceClaim,
    Touched,
    fold,
)
from proa.testing.builders import change, contribution, endpoint, port, removal, service, simple

HOST = "a.default.svc.cluster.local"


def source(name: str, kind: str = "ServiceEntry", namespace: str = "default") -> ObjectRef:
    return ObjectRef(kind, namespace, name)


def folded(*changes: Change) -> MeshSnapshot:
    snapshot = MeshSnapshot()
    for each in changes:
        snapshot, _ = fold(snapshot, each)
    return snapshot


def claims(name: str, *each: ServiceClaim, namespace: str = "default") -> Change:
    return Change(contributions=(Contribution(source=source(name, namespace=namespace), claims=each),))


def test_a_registration_touches_its_service_endpoints_and_workload() -> None:
    told = Change(contributions=(contribution(simple("a")),))
    snapshot, touched = fold(MeshSnapshot(), told)
    assert touched.services == touched.endpoints == {HOST}
    assert {str(each) for each in touched.workloads} == {"default/a-v1"}
    assert fold(snapshot, told) == (snapshot, Touched())
    gone, touched = fold(snapshot, Change(removed_sources=(source("a-v1", "Workload"),)))
    assert gone == MeshSnapshot()
    assert touched.services == {HOST}


def test_health_touches_endpoints_alone() -> None:
    sick = contribution(simple("a"))
    (claim,) = sick.claims
    (healthy,) = claim.endpoints
    ailing = msgspec.structs.replace(claim, endpoints=(msgspec.structs.replace(healthy, health="UNHEALTHY"),))
    snapshot = folded(Change(contributions=(sick,)))
    _, touched = fold(snapshot, Change(contributions=(msgspec.structs.replace(sick, claims=(ailing,)),)))
    assert touched == Touched(endpoints=frozenset({HOST}))


def test_configs_and_settings() -> None:
    told = change("""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec: {host: a}
""")
    snapshot, touched = fold(MeshSnapshot(), told)
    ref = source("a", "DestinationRule")
    assert touched == Touched(configs=frozenset({ref}))
    assert touched
    assert not fold(snapshot, told)[1]
    assert fold(snapshot, removal(ref))[1].configs == {ref}
    assert not fold(MeshSnapshot(), removal(ref))[1]
    assert fold(snapshot, Change(settings=MeshSettings(connect_timeout_ms=1)))[1] == Touched(settings=True)


def test_several_sources_make_one_service() -> None:
    one = ServiceClaim(service=service(HOST, port(80, protocol="AUTO")), endpoints=(endpoint("10.0.0.1"),))
    other = ServiceClaim(service=service(HOST, port(80), port(81, "b")), endpoints=(endpoint("10.0.0.2"),))
    snapshot = folded(claims("one", one), claims("two", other))
    merged = snapshot.services[HOST]
    assert [each.protocol for each in merged.ports] == ["HTTP", "HTTP"]
    assert merged.sources == (source("one"), source("two"))
    assert len(snapshot.endpoints[HOST].endpoints) == 2
    assert folded(claims("two", other), claims("one", one)) == snapshot
    left, _ = fold(snapshot, Change(removed_sources=(source("one"),)))
    assert left == folded(claims("two", other))


def test_a_private_claim_neither_hides_nor_joins_anothers_host() -> None:
    public = ServiceClaim(service=service(HOST), endpoints=(endpoint("10.0.0.1"),))
    private = ServiceClaim(
        service=msgspec.structs.replace(service(HOST, namespace="aaa"), visible_in=("aaa",)),
        endpoints=(endpoint("6.6.6.6"),),
    )
    snapshot = folded(claims("one", public), claims("evil", private, namespace="aaa"))
    assert snapshot.services[HOST] == folded(claims("one", public)).services[HOST]
    assert [each.address for each in snapshot.endpoints[HOST].endpoints] == ["10.0.0.1"]


def test_a_namespace_may_keep_its_own_host_to_itself() -> None:
    public = ServiceClaim(service=service(HOST))
    private = ServiceClaim(service=msgspec.structs.replace(service(HOST), visible_in=("default",)))
    found = folded(claims("one", public), claims("two", private)).services[HOST]
    assert found.visible_in == ("default",)
    assert found.is_seen_from("default")
    assert not found.is_seen_from("shop")


SELECTING = ServiceClaim(
    service=service("x.example.com", port(80)),
    selector=Selector(namespace="default", labels=Map(app="a")),
    selected_ports=(SelectedPort(port=port(80), target=8080),),
)


def instance(kind: str, ports: Map[str, int], template: Endpoint, **facts: Endpoint) -> Change:
    made = Instance(
        namespace="default",
        labels=Map(app="a"),
        ports=ports,
        template=template,
        templates=Map({int(key[1:]): fact for key, fact in facts.items()}),
    )
    return Change(contributions=(Contribution(source=source("i", kind), instances=(made,)),))


@pytest.mark.parametrize(
    ("kind", "ports", "found"),
    [
        ("WorkloadEntry", Map(http=81), [81]),
        ("WorkloadEntry", Map({"80": 82}), [82]),
        ("WorkloadEntry", Map(), [8080]),
        ("Workload", Map(http=81), [81]),
        ("Workload", Map(other=81), []),
    ],
)
def test_the_port_a_selector_finds(kind: str, ports: Map[str, int], found: list[int]) -> None:
    for order in (
        (claims("s", SELECTING), instance(kind, ports, endpoint())),
        (instance(kind, ports, endpoint()), claims("s", SELECTING)),
    ):
        snapshot = folded(*order)
        assert [each.port for each in snapshot.endpoints["x.example.com"].endpoints] == found


def test_each_port_of_an_instance_has_its_own_facts() -> None:
    told = instance(
        "Workload", Map(http=81), endpoint(tls="mutual"), p81=endpoint(tls="disabled", health="UNHEALTHY")
    )
    (found,) = folded(claims("s", SELECTING), told).endpoints["x.example.com"].endpoints
    assert (found.tls, found.health, found.service_port) == ("disabled", "UNHEALTHY", 80)


def test_an_operators_object_names_accounts_and_a_registration_does_not() -> None:
    template = msgspec.structs.replace(endpoint(), account="spiffe://t/ns/default/sa/a")
    for kind, accounts in (("WorkloadEntry", ("spiffe://t/ns/default/sa/a",)), ("Workload", ())):
        snapshot = folded(claims("s", SELECTING), instance(kind, Map(http=81), template))
        assert snapshot.services["x.example.com"].accounts == accounts
