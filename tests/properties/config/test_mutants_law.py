"""Whatever a file holds, it is taken or told of; nothing crashes, nothing hangs. A few hundred files each time, ten
minutes of them under `scripts/test endurance -k fuzz`.
"""

from tests.properties.config.mutants import Mutants
from tests.properties.config.pipeline import Pipeline

SEED = 20261122
TEXTS = 250


def test_any_text_is_taken_or_told_of() -> None:
    mutants, pipeline = Mutants(SEED), Pipeline()
    for number in range(TEXTS):
        text = mutants.next()
        try:
            batch = pipeline.swallow(text)
        except Exception as error:
            error.add_note(f"text {number} of seed {SEED}: {text[:3000]!r}")
            raise
        assert batch.objects or batch.problems or not text.strip("\ufeff -.\r\n\t\u2028")[:1].isalnum()
    # Mutants that are all refused at the door would say nothing of the rooms behind it.
    assert pipeline.counts["problems"] > TEXTS
    assert pipeline.counts["folded"] > 20
    assert pipeline.counts["resources"] > 1000
