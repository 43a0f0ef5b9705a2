"""Every YAML of README and the docs is what it looks like: objects that Proa takes, or a mistake said to be one.

A mistake is announced on the line before its block, with all codes that `proa validate` gives:
`<!-- mistake: unknown-field, required -->`. The block after it must have exactly those problems.
"""

import re
from pathlib import Path

import msgspec
import pytest

from proa.core.config import read_batch

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^( *)(`{3,}|~{3,}) *([A-Za-z]*)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_MISTAKE = re.compile(r"<!-- mistake: ([a-z0-9, -]+) -->\s*\Z")
_YAML = ("yaml", "yml")


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """`codes` are those of the problems that it is said to have, none for what is right."""

    place: str
    language: str
    text: str
    codes: frozenset[str] = frozenset()


def examples_in(page: str, name: str) -> list[Example]:
    found = []
    for block in _FENCE.finditer(page):
        announced = _MISTAKE.search(page, 0, block.start())
        codes = frozenset(announced[1].replace(" ", "").split(",")) if announced else frozenset[str]()
        indent = len(block[1])
        text = "\n".join(line[indent:] for line in block[4].split("\n"))
        line = page.count("\n", 0, block.start()) + 1
        found.append(Example(place=f"{name}:{line}", language=block[3].lower(), text=text, codes=codes))
    return found


BLOCKS = [each for page in PAGES for each in examples_in(page.read_text(), str(page.relative_to(ROOT)))]
EXAMPLES = [each for each in BLOCKS if each.language in _YAML]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.place)
def test_an_example_is_taken_or_the_mistake_it_is_said_to_be(example: Example) -> None:
    """Warnings count too: a reader would meet them."""
    batch = read_batch([(example.place, example.text)])
    found = {problem.code for problem in batch.problems}
    assert found == example.codes, "\n".join(map(str, batch.problems))
    assert batch.objects or example.codes


def test_no_object_hides_in_a_block_of_another_language() -> None:
    hidden = [
        each.place
        for each in BLOCKS
        if each.language not in _YAML and re.search(r"^\s*apiVersion:", each.text, re.MULTILINE)
    ]
    assert not hidden, "a block with objects must begin with ```yaml, or nobody checks it"


def test_what_is_announced_is_looked_for() -> None:
    page = "# A page\n\n<!-- mistake: wrong-type -->\n```yaml\napiVersion: v1\n```\n\n"
    page += "  ```yaml\n  a: 1\n  ```\n```\nplain\n```\n"
    wrong, indented, plain = examples_in(page, "p.md")
    assert (wrong.place, wrong.codes, wrong.text) == ("p.md:4", frozenset({"wrong-type"}), "apiVersion: v1\n")
    assert (indented.codes, indented.text) == (frozenset(), "a: 1\n")
    assert (plain.language, plain.text) == ("", "plain\n")


def test_the_pages_are_found() -> None:
    assert len(PAGES) > 20
    assert EXAMPLES
