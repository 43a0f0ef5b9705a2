"""What 2018's files become: each input beside today's objects and all that its writer is told.

Together the cases hold every field that the old kinds have.
"""

import re
from pathlib import Path

import pytest

from proa.core.config import convert, read_batch, to_yaml
from proa.core.config.legacy.today import is_old, read_back
from tests.golden_files import GoldenFiles, case_name, inputs


@pytest.mark.parametrize("case", inputs(Path(__file__).parent), ids=case_name)
def test_what_old_files_become(case: Path, golden: GoldenFiles) -> None:
    batch = read_batch([(case.name.replace(".input", ""), case.read_text())])
    converted = convert([written.config for written in batch.objects if is_old(written.config)])
    assert len(read_back(converted).objects) == len(converted.derived), "today's kinds read what we write"
    told = "".join(f"# {problem}\n" for problem in batch.problems)
    golden(case, told + to_yaml(*(derived.manifest for derived in converted.derived)))


def test_what_the_page_shows_can_be_applied() -> None:
    page = Path(__file__).parents[3] / "docs" / "legacy.md"
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        assert read_batch([("legacy.md", block)]).problems == ()
