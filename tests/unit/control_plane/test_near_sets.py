"""Endpoint sets by where clients stand: who shares one, and what a change costs."""

import pytest

from proa.core.model.locality import LocalitySetting
from proa.core.model.names import cluster_name, service_hostname
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.index import Affected
from proa.core.pilot.scope.scope import Scope
from proa.testing.builders import Mesh, registration, simple

ENDPOINT, CLUSTER = ResourceType.ENDPOINT, ResourceType.CLUSTER
A = cluster_name("outbound", 9080, "", service_hostname("a", "default"))


def rule(policy: str, host: str = "a", name: str = "a") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec: {{host: {host}, trafficPolicy: {policy}}}
"""


EJECT = rule("{outlierDetection: {}}")
BY_VERSION = rule("{outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [version]}}}")
SPREAD = rule("{loadBalancer: {localityLbSetting: {distribute: [{from: eu, to: {eu: 75, us: 25}}]}}}")


def mesh_of_places() -> Mesh:
    return Mesh(
        simple("a", "v1", locality="eu/a"),
        simple("a", "v2", address="10.0.0.2", locality="us/a"),
        simple("b", address="10.0.0.3", locality="us/a"),
        registration("near", locality="eu/a", labels={"version": "v1"}),
        registration("near-too", locality="eu/a", labels={"version": "v2"}),
        registration("far", locality="us/a", labels={"version": "v1"}),
        registration("edge", kind="gateway", locality="us/a"),
    )


def the_set(mesh: Mesh, workload: str) -> Resource:
    found = mesh.source(workload).lookup(ENDPOINT, A)
    assert found is not None
    return found


def reached(mesh: Mesh, workload: str) -> set[str]:
    return {each.address for each in mesh.get(workload, "http://a:9080/").candidates}


BOTH = {"10.0.0.1", "10.0.0.2"}


def test_each_client_has_the_nearest_and_those_who_stand_together_share() -> None:
    mesh = mesh_of_places()
    assert reached(mesh, "near") == BOTH
    assert the_set(mesh, "near") is the_set(mesh, "far") is the_set(mesh, "client")
    mesh.apply(EJECT)
    assert reached(mesh, "near") == {"10.0.0.1"}
    assert reached(mesh, "far") == {"10.0.0.2"}
    assert reached(mesh, "client") == BOTH, "it stands nowhere"
    assert the_set(mesh, "near") is the_set(mesh, "near-too")
    assert the_set(mesh, "edge") is the_set(mesh, "far")
    mesh.delete("DestinationRule", "a")
    assert the_set(mesh, "near") is the_set(mesh, "client")


def test_labels_are_the_key_where_labels_decide() -> None:
    mesh = mesh_of_places()
    mesh.apply(BY_VERSION)
    assert the_set(mesh, "near") is the_set(mesh, "far")
    assert reached(mesh, "far") == {"10.0.0.1"}
    assert reached(mesh, "near-too") == {"10.0.0.2"}


def test_shares() -> None:
    mesh = mesh_of_places()
    mesh.apply(SPREAD)
    found = mesh.get("near", "http://a:9080/").candidates
    assert {each.locality: each.share for each in found} == {"eu/a": 0.75, "us/a": 0.25}
    assert {each.share for each in mesh.get("far", "http://a:9080/").candidates} == {0.5}


def test_an_endpoint_that_changes_costs_the_sets_of_its_service() -> None:
    mesh = mesh_of_places()
    mesh.apply(EJECT)
    mesh.apply(rule("{outlierDetection: {}}", host="b", name="b"))
    clients = ("near", "near-too", "far", "client")
    for client in clients:
        the_set(mesh, client)
        mesh.get(client, "http://b:9080/")
    before = mesh.world.memo.built["build_endpoints"]
    mesh.place(simple("a", "v3", address="10.0.0.9", locality="eu/b"))
    for client in clients:
        the_set(mesh, client)
        mesh.get(client, "http://b:9080/")
    assert mesh.world.memo.built["build_endpoints"] - before == 3, "for all, for eu/a and for us/a"


def test_who_moves_is_told() -> None:
    mesh = mesh_of_places()
    mesh.apply(EJECT)
    mesh.source("near")
    told: list[set[tuple[ResourceType, str]]] = []

    def hear(
        generation: int,
        affected: Affected,
        scopes: object,
        workloads: dict[object, set[tuple[ResourceType, str]]],
    ) -> None:
        told.append({name for names in workloads.values() for name in names})

    mesh.world.subscribe(hear)  # type: ignore[arg-type]  # looks at names alone
    mesh.place(registration("near", locality="us/a", labels={"version": "v1"}))
    assert (ENDPOINT, A) in told[-1]
    assert reached(mesh, "near") == {"10.0.0.2"}


def test_the_meshs_setting_may_be_to_have_none() -> None:
    mesh = mesh_of_places()
    mesh.apply(EJECT)
    assert reached(mesh, "near") == {"10.0.0.1"}
    mesh.world.fold_in([Change(settings=MeshSettings(locality=LocalitySetting(enabled=False)))])
    assert reached(mesh, "near") == BOTH
    mesh.world.fold_in([Change(settings=MeshSettings(locality=LocalitySetting(priority=("version",))))])
    assert reached(mesh, "near-too") == {"10.0.0.2"}


BY_NAME = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: named
  annotations: {networking.istio.io/traffic-distribution: %s}
spec:
  hosts: [named.example.com]
  resolution: %s
  ports: [{number: 9080, name: http, protocol: HTTP}]
  endpoints:
    - {address: %s, locality: eu/a}
    - {address: %s, locality: us/a}
"""


@pytest.mark.parametrize(
    ("resolution", "addresses"), [("STATIC", ("192.0.2.1", "192.0.2.2")), ("DNS", ("x.example", "y.example"))]
)
def test_a_service_may_ask_for_near_ones(resolution: str, addresses: tuple[str, str]) -> None:
    mesh = mesh_of_places()
    mesh.apply(BY_NAME % ("PreferClose", resolution, *addresses))
    for client, expected in (("near", addresses[0]), ("far", addresses[1])):
        (found,) = mesh.get(client, "http://named.example.com:9080/").candidates
        assert found.address == expected


def test_an_annotation_that_is_taken_away_is_a_change() -> None:
    mesh = mesh_of_places()
    written = BY_NAME % ("PreferClose", "STATIC", "192.0.2.1", "192.0.2.2")
    mesh.apply(written)
    mesh.apply(written.replace("networking.istio.io/traffic-distribution", "example.com/other"))
    assert len(mesh.get("near", "http://named.example.com:9080/").candidates) == 2


def test_a_program_without_a_sidecar_has_its_place_too() -> None:
    mesh = Mesh(
        simple("a", "v1", protocol="GRPC", locality="eu/a"),
        simple("a", "v2", protocol="GRPC", address="10.0.0.2", locality="us/a"),
        registration("near", kind="proxyless", locality="eu/a"),
        registration("far", kind="proxyless", locality="us/a"),
    )
    before = the_set(mesh, "near").digest, the_set(mesh, "far").digest
    assert before[0] == before[1]
    mesh.apply(EJECT)
    assert len({the_set(mesh, "near").digest, the_set(mesh, "far").digest, before[0]}) == 3


def test_a_scope_left_and_one_entered() -> None:
    """A Sidecar moves a workload to another scope; what it sees by its place goes with it."""
    mesh = mesh_of_places()
    mesh.apply(EJECT)
    mesh.source("near")
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
spec: {egress: [{hosts: ["./*"]}]}
""")
    assert mesh.source("near").shared.scope != Scope("default")
    assert reached(mesh, "near") == {"10.0.0.1"}
