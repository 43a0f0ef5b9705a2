"""`proa explain` against what really happens: its simulation request by request, and what it prints."""

from collections.abc import Iterator

import pytest

from tests.mesh.agreement import compare
from tests.mesh.agreement_scene import WORDS, agreement_scene, doors
from tests.mesh.harness import Mesh

pytestmark = pytest.mark.mesh


@pytest.fixture(scope="module")
def scene(shared_mesh: Mesh) -> Iterator[Mesh]:
    with agreement_scene(shared_mesh) as mesh:
        yield mesh


def test_envoy_does_what_was_foretold(scene: Mesh) -> None:
    compare(scene, doors(scene), WORDS, seed=1, count=3_000)
