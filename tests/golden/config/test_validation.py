"""What users are told: each input file beside the Configs it gives and all of its problems, wording included."""

from pathlib import Path

import pytest

from proa.core.config import Json, load_all, to_yaml
from tests.golden_files import GoldenFiles

HERE = Path(__file__).parent
CASES = sorted(HERE.rglob("*.input.yaml"))


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: str(case.relative_to(HERE)).removesuffix(".input.yaml")
)
def test_problems_of_a_file(case: Path, golden: GoldenFiles) -> None:
    loaded = load_all(case.read_text(), case.name.replace(".input", ""))
    told: dict[str, Json] = {
        "configs": [f"{config.ref}" for config in loaded.configs],
        "problems": [str(problem) for problem in loaded.problems],
    }
    golden(case, to_yaml(told))
