"""Templates of paths as HTTPAPISpecs write them, and which of many fits a request best.

    /shelves/*/books/{book}      a star, or a field, is one segment
    /files/**                    two stars are any number of segments, none too; behind them stand words alone
    /{name=shelves/*}:sort       a field of several segments; a verb behind the last one

The query is no part of a path, and slashes at its end count for nothing. A path that has a verb of some template is
first looked up under that verb, then as it stands. Of the templates that fit, the best is decided segment by segment
from the left: its end before anything, a word before a star, a star before two; of equal ones the one for the method
before the one for `*`, then the first.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

ANY_METHOD: Final = "*"


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """Segments are words, `*` or `**`; fields are what they stand for."""

    segments: tuple[str, ...]
    verb: str = ""


def read_template(text: str) -> Template:
    """Of a template without a fault (`kinds.mixer_api_spec.validate`)."""
    path, _, verb = text.removeprefix("/").partition(":")
    plain = "".join(_unwrapped(path)).rstrip("/")
    return Template(segments=tuple(plain.split("/")) if plain else (), verb=verb)


def _unwrapped(path: str) -> Iterable[str]:
    """A field as its segments."""
    while "{" in path:
        before, _, rest = path.partition("{")
        field, _, path = rest.partition("}")
        yield before
        yield field.partition("=")[2] or "*"
    yield path


class _Node:
    """Where a prefix of segments leads. `ends`: what stands for templates that end here, by method and verb. `many`: of
    templates with `**` here, by the words behind."""

    __slots__ = ("ends", "many", "star", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.star: _Node | None = None
        self.many: dict[tuple[str, ...], _Ends] = {}
        self.ends: _Ends = {}


_Ends = dict[tuple[str, str], int]


class Templates:
    """Each stands for its place among those given. Immutable after construction."""

    def __init__(self, templates: Iterable[tuple[str, Template]]) -> None:
        """With the method of each, in upper case, or `*`."""
        self._root = _Node()
        self._verbs: tuple[str, ...] = ()
        verbs: set[str] = set()
        for index, (method, template) in enumerate(templates):
            self._place(template.segments).setdefault((method, template.verb), index)
            verbs.add(template.verb)
        self._verbs = tuple(sorted(verbs - {""}, key=lambda verb: (-len(verb), verb)))

    def _place(self, segments: tuple[str, ...]) -> _Ends:
        node = self._root
        for position, segment in enumerate(segments):
            if segment == "**":
                return node.many.setdefault(segments[position + 1 :], {})
            if segment == "*":
                node.star = node.star or _Node()
                node = node.star
            else:
                node = node.words.setdefault(segment, _Node())
        return node.ends

    def find(self, method: str, path: str) -> int | None:
        """The best one's place; None when none fits. `method` in upper case, `path` with or without its query."""
        plain = path.partition("?")[0].partition("#")[0].strip("/")
        segments = plain.split("/") if plain else []
        last = segments[-1] if segments else ""
        for verb in self._verbs:
            if last.endswith(f":{verb}"):
                bare = [*segments[:-1], last[: -len(verb) - 1]]
                found = _search(self._root, bare, 0, method, verb)
                if found is not None:
                    return found
        return _search(self._root, segments, 0, method, "")


def _search(node: _Node, segments: Sequence[str], at: int, method: str, verb: str) -> int | None:
    if at == len(segments):
        found = _of_method(node.ends, method, verb)
        return _many(node, segments, at, method, verb) if found is None else found
    for following in (node.words.get(segments[at]), node.star):
        if following is not None:
            found = _search(following, segments, at + 1, method, verb)
            if found is not None:
                return found
    return _many(node, segments, at, method, verb)


def _many(node: _Node, segments: Sequence[str], at: int, method: str, verb: str) -> int | None:
    """More words behind the stars are more to agree with."""
    for words in sorted(node.many, key=len, reverse=True):
        start = len(segments) - len(words)
        if start >= at and tuple(segments[start:]) == words:
            found = _of_method(node.many[words], method, verb)
            if found is not None:
                return found
    return None


def _of_method(ends: _Ends, method: str, verb: str) -> int | None:
    found = ends.get((method, verb))
    return ends.get((ANY_METHOD, verb)) if found is None else found
