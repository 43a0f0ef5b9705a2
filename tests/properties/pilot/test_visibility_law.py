"""What a proxy cannot see changes nothing of what it is sent."""

from hypothesis import given, settings
from hypothesis import strategies as st

from proa.core.config import Config, Json, to_manifest
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.testing.builders import Mesh, change_of, config
from proa.testing.strategies import changes, destination_rules, service_entries, virtual_services

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
