"""What objects of Gateway API become: each input beside today's objects, what its writer is told, and the conditions.

Together the cases hold every field that is served.
"""

import re
from pathlib import Path

import pytest

from proa.core.config import read_batch, to_yaml
from proa.core.config.gateway_api.bound import Standing
from proa.core.config.gateway_api.derive import derive
from proa.core.config.gateway_api.today import is_api, read_derived
from tests.golden_files import GoldenFiles, case_name, inputs


@pytest.mark.parametrize("case", inputs(Path(__file__).parent), ids=case_name)
def test_what_routes_become(case: Path, golden: GoldenFiles) -> None:
    batch = read_batch([(case.name.replace(".input", ""), case.read_text())])
    derivation = derive([written.config for written in batch.objects if is_api(written.config)])
    assert len(read_derived(derivation).objects) == len(derivation.made), "today's kinds read what we write"
    told = "".join(f"# {problem}\n" for problem in batch.problems)
    told += "".join(f"# {line}\n" for each in derivation.standings for line in _lines(each))
    golden(case, told + to_yaml(*(made.derived.manifest for made in derivation.made)))


def _lines(standing: Standing) -> list[str]:
    at = f" at {standing.parent.kind} {standing.parent.name}" if standing.parent else ""
    own = [f"{standing.ref}{at}: {each.type} {each.status} {each.reason}" for each in standing.conditions]
    return own + [
        f"{standing.ref} listener {one.name}: {one.routes} routes, "
        + ", ".join(f"{each.type} {each.status} {each.reason}" for each in one.conditions)
        for one in standing.listeners
    ]


def test_what_the_page_shows_can_be_applied() -> None:
    page = Path(__file__).parents[3] / "docs" / "gateway-api.md"
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        assert read_batch([("gateway-api.md", block)]).problems == ()
