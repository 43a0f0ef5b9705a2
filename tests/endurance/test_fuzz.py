"""Ten minutes of files that no sane user writes: each is taken or told of, nothing crashes, nothing hangs.

`--law-minutes 1` makes it short, `--seed` plays it again: the same seed gives the same files in the same order.
"""

import secrets
import time
from collections.abc import Callable

import pytest

from tests.endurance.conftest import Scale
from tests.properties.config.mutants import Mutants
from tests.properties.config.pipeline import Pipeline

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(3600)]


def test_fuzz_of_the_language(scale: Scale, tell: Callable[[str], None]) -> None:
    seed = scale.seed if scale.seed is not None else secrets.randbelow(1 << 32)
    mutants, pipeline = Mutants(seed), Pipeline()
    until = time.monotonic() + scale.law_minutes * 60
    while time.monotonic() < until:
        text = mutants.next()
        try:
            pipeline.swallow(text)
        except Exception as error:
            error.add_note(f"--seed {seed}, text {pipeline.counts['texts']}: {text[:5000]!r}")
            raise
    seconds, slowest = pipeline.slowest
    tell(f"fuzz of seed {seed}, {scale.law_minutes:g} minutes: {dict(pipeline.counts)}")
    tell(f"slowest text: {seconds:.2f} s for {len(slowest)} characters, {slowest[:60]!r}")
    assert pipeline.counts["texts"] > 0
