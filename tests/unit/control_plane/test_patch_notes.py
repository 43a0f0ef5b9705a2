"""Who wrote a patch that changes nothing is told so."""

from proa.testing.builders import Mesh, simple
from tests.unit.control_plane.test_patched import envoy_filter, slow


def notes(mesh: Mesh) -> list[str]:
    return [f"{note.about.name}: {note.code} {note.message.split(' ')[0]}" for note in mesh.world.notes()]


def test_a_patch_that_finds_nothing() -> None:
    mesh = Mesh(simple("a"))
    mesh.source("client")
    mesh.apply(envoy_filter(slow(), slow("nobody")))
    assert notes(mesh) == ["x: patch-without-effect configPatches[1]"]


def test_one_proxy_is_enough() -> None:
    mesh = Mesh(simple("a"))
    patch = slow().replace("match: {", "match: {context: SIDECAR_INBOUND, ")
    mesh.source("client")
    mesh.apply(envoy_filter(patch))
    assert notes(mesh) == ["x: patch-without-effect configPatches[0]"]
    mesh.source("a-v1")
    assert notes(mesh) == []


def test_a_filter_that_is_for_nobody() -> None:
    mesh = Mesh()
    mesh.source("client")
    mesh.apply(envoy_filter(slow(), spec="workloadSelector: {labels: {app: nobody}}"))
    assert [note.code for note in mesh.world.notes()] == ["patch-for-nobody"]
