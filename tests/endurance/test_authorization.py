"""Five thousand random pairs of a policy set and a request, ten sets of a thousand rules among them: Envoy and the
evaluator agree on each. The short form is tests/mesh/test_authorization_law.py."""

from pathlib import Path
from random import Random

import pytest

from proa.testing.authorization.arena import Arena
from proa.testing.authorization.sets import large_set, small_set
from tests.mesh.authorization_law import try_requests, try_streams

pytestmark = [pytest.mark.mesh, pytest.mark.endurance, pytest.mark.timeout(900)]


@pytest.mark.parametrize("seed", range(3))
def test_small_sets(tmp_path: Path, seed: int) -> None:
    rng = Random(1000 + seed)
    sets = [small_set(rng) for _ in range(300)]
    with Arena(tmp_path, sets).running() as arena:
        print(seed, try_requests(arena, sets, rng, times=5))


def test_sets_of_a_thousand_rules(tmp_path: Path) -> None:
    rng = Random(2000)
    sets = [large_set(rng, 1000) for _ in range(10)]
    with Arena(tmp_path, sets).running() as arena:
        seen = try_requests(arena, sets, rng, times=100)
    print(seen)
    assert 0.3 < seen["denied"] / sum(seen.values()) < 0.7


def test_streams(tmp_path: Path) -> None:
    rng = Random(3000)
    sets = [small_set(rng, is_stream=True) for _ in range(200)]
    with Arena(tmp_path, sets, are_streams=True).running() as arena:
        print(try_streams(arena, sets, rng, times=5))
