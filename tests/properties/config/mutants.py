"""Texts that no sane user writes, made of those that sane users did: for laws that hold for any text at all.

Real files are taken apart, and values swapped for others of another type or of absurd size, subtrees of one file
grafted into another, keys bent; then the text itself is broken. Everything follows from a `random.Random`.
"""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

import yaml

from proa.core.config import Json

ROOT: Final = Path(__file__).parents[3]
Tree = dict[str, Json]
Place = tuple[dict[str, Json] | list[Json], str | int]


def real_texts() -> list[str]:
    """Fixtures of the tests, and examples of the docs."""
    files = sorted((*(ROOT / "tests").rglob("*.yaml"), *(ROOT / "src").rglob("*.yaml")))
    pages = [page.read_text() for page in sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [part.partition("```")[0] for page in pages for part in page.split("```yaml\n")[1:]]
    return [*(file.read_text() for file in files), *blocks]


def trees_of(texts: Sequence[str]) -> list[Tree]:
    """The objects in them; texts that are no YAML on purpose are left out."""
    found: list[Tree] = []
    for text in texts:
        try:
            loaded = list(yaml.safe_load_all(text))
            found += [plain(each) for each in loaded if isinstance(each, dict)]
        except (yaml.YAMLError, ValueError, TypeError):
            continue
    return found


# -- values and trees --

_ODD: Final[tuple[Json, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    65536,
    2**31,
    2**32,
    2**63,
    2**64,
    10**30,
    10**99,
    -(10**99),
    0.5,
    -0.0,
    1e308,
    1e-320,
    float("inf"),
    float("nan"),
    "",
    " ",
    "*",
    "*.",
    ".",
    "..",
    "/",
    "~",
    "-",
    "0",
    "null",
    "true",
    "1e999",
    "0x",
    "::",
    "1.2.3.4",
    "::1/129",
    "300.1.1.1",
    "10.0.0.0/33",
    "a" * 63,
    "a" * 64,
    "a." * 127,
    "é",
    "\u202e\u0000",
    "\ud7ff\ue000",
    "\U0001f600" * 50,
    "\u0300" * 40,
    "%",
    "%%%",
    "%REQ(",
    "(" * 300,
    "(a{1000}){1000}",
    "[[:alpha:]",
    "(?<!a)b",
    "\\",
    "a" * 70_000,
    "9223372036854775807s",
    "1ns",
    "-1s",
    "1h" * 40,
    "1.5.5s",
    "unix://",
    "unix:///" + "a" * 200,
    "file://",
    "https://[",
    [],
    {},
    [[]],
    [{}],
    {"": None},
    {"a": {"a": {"a": {}}}},
    [None] * 50,
    "<<",
    "&a",
    "!!",
    "{{",
    "${x}",
    "a\r\nb",
    "\t",
)


def odd(chance: random.Random) -> Json:
    if chance.random() < 0.05:
        return deep(chance.choice((10, 63, 64, 65, 150)), chance.random() < 0.5)
    if chance.random() < 0.03:
        return [copied(chance.choice(_ODD)) for _ in range(chance.choice((3, 2000)))]
    if chance.random() < 0.2:
        return "".join(chr(_character(chance)) for _ in range(chance.randrange(12)))
    return copied(chance.choice(_ODD))


def _character(chance: random.Random) -> int:
    code = chance.choice((chance.randrange(128), chance.randrange(0x3000), chance.randrange(0x110000)))
    return 0x20 if 0xD800 <= code < 0xE000 else code


def deep(levels: int, in_lists: bool) -> Json:
    value: Json = "bottom"
    for _ in range(levels):
        value = [value] if in_lists else {"a": value}
    return value


def places(tree: Json) -> list[Place]:
    """Every place of a value, with its owner."""
    found: list[Place] = []
    waiting = [tree]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            found += [(here, name) for name in here]
            waiting += here.values()
        elif isinstance(here, list):
            found += [(here, index) for index in range(len(here))]
            waiting += here
    return found


def put(place: Place, value: Json) -> None:
    owner, name = place
    owner[name] = value  # type: ignore[index]  # a dict has names and a list numbers


def value_at(place: Place) -> Json:
    owner, name = place
    return owner[name]  # type: ignore[index]


def _swap(tree: Tree, others: Sequence[Tree], chance: random.Random) -> None:
    put(chance.choice(places(tree)), odd(chance))


def _graft(tree: Tree, others: Sequence[Tree], chance: random.Random) -> None:
    """Another object's value, perhaps of a field of the same name."""
    place = chance.choice(places(tree))
    theirs = places(chance.choice(others))
    alike = [each for each in theirs if each[1] == place[1]] or theirs
    put(place, copied(value_at(chance.choice(alike))))


def _drop(tree: Tree, others: Sequence[Tree], chance: random.Random) -> None:
    owner, name = chance.choice(places(tree))
    del owner[name]  # type: ignore[arg-type]


def _bend(tree: Tree, others: Sequence[Tree], chance: random.Random) -> None:
    """A key that is nearly the right one, or nothing like it."""
    named = [place for place in places(tree) if isinstance(place[0], dict)]
    owner, name = chance.choice(named)
    assert isinstance(owner, dict)
    word = str(name)
    bent = chance.choice(
        (word.upper(), word + "s", word[1:], word[::-1], "", "\u0000", word * 90, "_" + word)
    )
    owner[bent] = owner.pop(word)


def _repeat(tree: Tree, others: Sequence[Tree], chance: random.Random) -> None:
    lists = [value for place in places(tree) if isinstance(value := value_at(place), list) and value]
    if lists:
        chosen = chance.choice(lists)
        chosen.extend(copied(chance.choice(chosen)) for _ in range(chance.choice((1, 2, 300))))


def _wrap(tree: Tree, others: Sequence[Tree], chance: random.Random) -> None:
    place = chance.choice(places(tree))
    inner = value_at(place)
    put(place, chance.choice(([inner], {"value": inner}, str(inner)[:1000], [inner, copied(inner)])))


def copied(value: Json) -> Json:
    return cast(Json, json.loads(json.dumps(value)))


_OF_TREES: Final[tuple[Callable[[Tree, Sequence[Tree], random.Random], None], ...]] = (
    _swap, _swap, _swap, _graft, _graft, _drop, _bend, _repeat, _wrap,
)  # fmt: skip


# -- texts --

_BOMB: Final = "x: &a [1,1,1,1,1,1,1,1]\n" + "".join(
    f"y{n}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
_INTRUDERS: Final = (
    "\x00",
    "\x1b",
    "\ufeff",
    "\u2028",
    "\u0085",
    "\r",
    "\t",
    "---\n",
    "...\n",
    "--- |\n",
    "%YAML 9.9\n---\n",
    "%TAG ! !\n",
    "&a ",
    "*a ",
    "*b\n",
    "<<: *a\n",
    "!!python/object/apply:os.system [x]\n",
    "!!binary ",
    "!!set ",
    "!<x> ",
    "? ",
    "? [a, b]\n: c\n",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "|\n",
    ">-\n",
    "'",
    '"',
    "\\",
    "#",
    "@",
    "`",
    "\ufffe",
    "\u200b",
    "[" * 5000,
    "{a: " * 3000,
    "key: &k {k: *k}\n",
    _BOMB,
)


def _insert(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(_INTRUDERS) + text[at:]


def _cut(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] + text[start + chance.choice((1, 5, 80, len(text))) :]


def _twice(text: str, chance: random.Random) -> str:
    """A line that stands there twice: duplicate keys."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    return "\n".join([*lines[: at + 1], *lines[at:]])


def _indent(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = chance.choice((" ", "  ", "\t", "- ")) + lines[at]
    return "\n".join(lines)


def _flip(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chr(_character(chance)) + text[at + 1 :]


def _many(text: str, chance: random.Random) -> str:
    return "\n---\n".join([text] * chance.choice((2, 3, 40))) if len(text) < 5000 else text


def _foreign_lines(text: str, chance: random.Random) -> str:
    return text.replace("\n", chance.choice(("\r\n", "\r", "\u2028", "\n\n")))


_OF_TEXTS: Final[tuple[Callable[[str, random.Random], str], ...]] = (
    _insert, _insert, _insert, _cut, _twice, _twice, _indent, _flip, _flip, _many, _foreign_lines,
)  # fmt: skip


class Mutants:
    """An endless stream of texts."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._texts = real_texts()
        self._trees = trees_of(self._texts)
        assert len(self._trees) > 50, "the fixtures are not where they were"

    def next(self) -> str:
        chance = self._chance
        if chance.random() < 0.25:
            text = chance.choice(self._texts)
        else:
            chosen = [self._mutated_tree() for _ in range(chance.choice((1, 1, 2, 5)))]
            text = "---\n".join(map(self._written, chosen))
        for _ in range(chance.choice((0, 0, 1, 3))):
            text = chance.choice(_OF_TEXTS)(text, chance)
        return text

    def _mutated_tree(self) -> Tree:
        tree = cast(Tree, copied(self._chance.choice(self._trees)))
        for _ in range(self._chance.choice((1, 1, 2, 4))):
            if places(tree) and any(isinstance(owner, dict) for owner, _ in places(tree)):
                self._chance.choice(_OF_TREES)(tree, self._trees, self._chance)
        return tree

    def _written(self, tree: Tree) -> str:
        """As YAML in blocks, or as JSON with what JSON alone escapes."""
        is_plain = self._chance.random() < 0.5
        if self._chance.random() < 0.5:
            return yaml.dump(tree, Dumper=yaml.CSafeDumper, allow_unicode=is_plain) + "\n"
        return json.dumps(tree, ensure_ascii=not is_plain) + "\n"


def plain(tree: object) -> Tree:
    """With dates and the like as text, which PyYAML makes of plain words. Raises TypeError for odd keys."""
    return cast(Tree, json.loads(json.dumps(tree, default=str)))
