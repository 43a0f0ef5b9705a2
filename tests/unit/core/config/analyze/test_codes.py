import re
from pathlib import Path

from proa.core.config.analyze import codes
from proa.core.config.analyze.codes import CODES, page
from tests.golden_files import GoldenFiles

ROOT = Path(__file__).parents[5]
CHECKS = Path(codes.__file__).parent


def test_the_page_of_the_docs_is_current(golden: GoldenFiles) -> None:
    golden.page(ROOT / "docs/messages.md", page())


def test_every_code_has_a_chapter_that_says_what_to_do() -> None:
    text = page()
    for name, code in CODES.items():
        assert f"\n## {name}\n" in text
        assert code.means.endswith((".", "!", ")"))
        assert code.todo.endswith(".")
        assert not code.title.endswith(".")


def test_istios_codes_are_spelled_so() -> None:
    for code in CODES.values():
        assert all(re.fullmatch(r"IST0\d{3}", each) for each in filter(None, code.istio.split(", ")))


def test_every_code_is_used_by_a_check() -> None:
    places = [*CHECKS.glob("*.py"), *(CHECKS.parents[1] / "mixer").rglob("*.py")]
    sources = "".join(path.read_text() for path in places if not path.name.endswith("codes.py"))
    assert [name for name in CODES if f'"{name}"' not in sources] == []
