"""Random faults every ten seconds, for twenty minutes, under load and changes: the mesh answers meanwhile, and
afterwards it is as if nothing had been. A failure names the seed; `--seed` plays it again."""

import secrets
from collections.abc import Callable

import pytest

from tests.endurance.conftest import Scale
from tests.endurance.kill_list import draw
from tests.endurance.kill_story import play
from tests.mesh.harness import why_no_envoy

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(3600)]


def test_after_everything_was_broken_all_is_as_it_was(scale: Scale, tell: Callable[[str], None]) -> None:
    if reason := why_no_envoy():
        pytest.skip(reason)
    seed = scale.seed if scale.seed is not None else secrets.randbelow(1 << 32)
    verdict = play(lambda able: draw(seed, scale.minutes * 60, able=able))
    for line in verdict.told:
        tell(line)
    assert not verdict.problems, f"--seed {seed}:\n" + "\n".join(verdict.problems)
