"""What a proxy cannot see changes nothing of what it is sent."""

from hypothesis import given, settings
from hypothesis import strategies as st

from proa.core.config import Config, Json, to_manifest
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import ResourceType
from proa.testing.builders import Mesh, change_of, config, registration, removal
from proa.testing.strategies import (
    changes,
    destination_rules,
    service_entries,
    sidecars,
    virtual_services,
)

CLIENT = WorkloadId("default", "client")


def hidden(seen: Config) -> Config:
    """The same object in a namespace of its own that exports nothing."""
    spec = to_manifest(seen)["spec"]
    assert isinstance(spec, dict)
    closed: dict[str, Json] = spec | {"exportTo": ["."]}
    return config(seen.kind, f"hidden-{seen.meta.name}", closed, namespace="elsewhere")


def held(mesh: Mesh) -> dict[object, bytes]:
    source = mesh.source(CLIENT)
    return {
        name: resource.body
        for bundle in (source.shared.resources, source.own.resources)
        for name, resource in bundle.items()
    }


@settings(max_examples=50)
@given(
    st.lists(changes(), max_size=6),
    st.one_of(virtual_services(), destination_rules(), service_entries()).map(hidden),
)
def test_a_hidden_object_changes_no_byte(told: list[Change], unseen: Config) -> None:
    mesh = Mesh()
    mesh.source(CLIENT)
    mesh.world.fold_in(told)
    before = held(mesh)
    mesh.world.fold_in([change_of([unseen])])
    assert held(mesh) == before


NARROW = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow}
spec: {workloadSelector: {labels: {role: client}}, egress: [{hosts: ["./*", "istio-system/*"]}]}
"""


def elsewhere(seen: Config) -> Config:
    """The same object in a namespace that the Sidecar does not import, open to all. Its service has a name that no
    other namespace claims: of one name there is one service."""
    spec = to_manifest(seen)["spec"]
    assert isinstance(spec, dict)
    kept = {name: value for name, value in spec.items() if name != "exportTo"}
    if seen.kind == "ServiceEntry":
        kept["hosts"] = ["unseen.example.com"]
    return config(seen.kind, f"there-{seen.meta.name}", kept, namespace="elsewhere")


@settings(max_examples=50)
@given(st.lists(changes(), max_size=6), st.one_of(virtual_services(), service_entries()).map(elsewhere))
def test_an_object_that_no_egress_list_imports_changes_no_byte(told: list[Change], unseen: Config) -> None:
    mesh = Mesh(registration("client", labels={"role": "client"}))
    mesh.apply(NARROW)
    mesh.source(CLIENT)
    mesh.world.fold_in(told)
    before = held(mesh)
    mesh.world.fold_in([change_of([unseen])])
    assert held(mesh) == before


@settings(max_examples=40)
@given(st.lists(changes(), max_size=6), sidecars())
def test_a_narrower_scope_has_nothing_that_a_wider_has_not(told: list[Change], sidecar: Config) -> None:
    wide, narrow = Mesh(), Mesh()
    for mesh in (wide, narrow):
        mesh.world.fold_in(told)
        mesh.world.fold_in([removal(*(ref for ref in mesh.world.snapshot.configs if ref.kind == "Sidecar"))])
    narrow.world.fold_in([change_of([sidecar])])
    clusters = [set(mesh.source(CLIENT).names(ResourceType.CLUSTER)) for mesh in (wide, narrow)]
    assert clusters[1] <= clusters[0]
