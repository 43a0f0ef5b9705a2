"""The long form of `tests/mesh/test_explain.py`: fifty thousand requests, of another seed each time (`--seed` repeats
one; it is printed)."""

import random
from collections.abc import Callable

import pytest

from tests.endurance.conftest import Scale
from tests.mesh.agreement import compare
from tests.mesh.agreement_scene import WORDS, agreement_scene, doors
from tests.mesh.harness import Mesh, app, why_no_envoy

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy()),
]

ROUNDS = 2
"""For each repetition."""
REQUESTS = 5_000


def test_envoy_does_what_was_foretold_for_long(scale: Scale, tell: Callable[[str], None]) -> None:
    dice = random.Random(scale.seed)
    with Mesh() as mesh:
        mesh.run("caller", wait=False)
        mesh.run("echo", app("echo"), port="8080:auto", wait=False)
        mesh.until_healthy("caller", "echo")
        with agreement_scene(mesh):
            for number in range(ROUNDS * scale.repetitions):
                seed = scale.seed if scale.seed is not None and number == 0 else dice.randrange(2**32)
                compare(mesh, doors(mesh), WORDS, seed=seed, count=REQUESTS, tell=tell)
