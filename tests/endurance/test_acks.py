"""Ten minutes of valid objects, as many sets of them as two running Envoys can judge: none is refused.

`--law-minutes 1` makes it short; a failure prints the objects, shrunk, and Envoy's words. `--seed` plays it again.
"""

import secrets
import time
from collections.abc import Callable

import pytest

from tests.endurance.conftest import Scale
from tests.mesh.programs import why_no_envoy
from tests.properties.envoy.law import hold

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(7200)]
SETS_AT_ONCE = 60
"""Envoys and control plane begin anew so often, and hypothesis forgets what it has seen."""


def test_acks_of_whatever_is_valid(scale: Scale, tell: Callable[[str], None]) -> None:
    if reason := why_no_envoy():
        pytest.skip(reason)
    seed = scale.seed if scale.seed is not None else secrets.randbelow(1 << 32)
    until, judged, resources = time.monotonic() + scale.law_minutes * 60, 0, 0
    for number in range(1_000_000):
        if time.monotonic() > until:
            break
        judge = hold(SETS_AT_ONCE, seed + number, until)
        judged += judge.judged
        resources += judge.resources_sent.total()
    tell(
        f"acks of seed {seed}, {scale.law_minutes:g} minutes: {judged} sets, {resources} resources, none refused"
    )
    assert judged > 0
