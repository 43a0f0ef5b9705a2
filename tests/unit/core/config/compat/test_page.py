from pathlib import Path

from proa.core.config.compat.page import page
from proa.core.config.compat.support import FieldSupport, KindSupport, support_of_everything
from tests.golden_files import GoldenFiles

DOCS = Path(__file__).parents[5] / "docs"


def test_the_page_of_the_docs_is_current(golden: GoldenFiles) -> None:
    golden.page(DOCS / "compat.md", page(support_of_everything()))


def test_a_kind_whose_fields_differ_has_a_table() -> None:
    kind = KindSupport(
        group="g",
        kind="K",
        versions=("v1",),
        support="in part",
        fields=(
            FieldSupport(field="a", support="supported"),
            FieldSupport(field="b", support="accepted", note="why"),
        ),
    )
    text = page([kind])
    assert "| g K | v1 | in part | 2 | 2 | 0 | 0 |" in text
    assert "| `b` | accepted | why |" in text
