"""Envoy's compiled filters and the evaluator agree: every day on a part of what `scripts/test endurance` tries.

The sets follow from a seed, which is all there is to shrink: one Envoy holds them all.
"""

from pathlib import Path
from random import Random

import pytest

from proa.testing.authorization.arena import Arena
from proa.testing.authorization.sets import large_set, small_set
from tests.mesh.authorization_law import try_requests, try_streams
from tests.mesh.programs import why_no_envoy

pytestmark = [pytest.mark.mesh, pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy() or "Envoy")]


def test_requests(tmp_path: Path) -> None:
    """To many small sets and to one of a thousand rules, in one Envoy."""
    rng = Random(20)
    small, large = [small_set(rng) for _ in range(60)], large_set(rng, 1000)
    with Arena(tmp_path, [large, *small]).running() as arena:
        seen = try_requests(arena, [large], rng, times=80)
        assert 0.3 < seen["denied"] / 80 < 0.7, seen
        seen = try_requests(arena, [large, *small], rng, times=7)
    assert min(seen[outcome] for outcome in ("allowed", "denied", "asked")) > 50, seen


def test_streams(tmp_path: Path) -> None:
    rng = Random(22)
    sets = [small_set(rng, is_stream=True) for _ in range(40)]
    with Arena(tmp_path, sets, are_streams=True).running() as arena:
        seen = try_streams(arena, sets, rng, times=3)
    assert min(seen[outcome] for outcome in ("allowed", "denied")) > 20, seen
