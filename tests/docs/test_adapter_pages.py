"""Each adapter of ours has its page, which tells of all its parameters."""

import re

import pytest

from proa.adapters.policy_catalog import OURS
from proa.core.config.fields import shape_of
from proa.ports.policy_adapter import PolicyAdapter
from tests.docs.test_examples import ROOT

PAGES = ROOT / "docs" / "adapters"


@pytest.mark.parametrize("adapter", OURS, ids=lambda each: each.kind.name)
def test_it_is_told_of_whole(adapter: PolicyAdapter) -> None:
    page = (PAGES / f"{adapter.kind.name}.md").read_text()
    assert page.startswith(f"# {adapter.kind.name}\n")
    fields = shape_of(adapter.kind.parameters).fields.values()
    untold = [field.name for field in fields if not re.search(rf"`{field.name}[`.\[]", page)]
    assert not untold
    assert "```yaml" in page
