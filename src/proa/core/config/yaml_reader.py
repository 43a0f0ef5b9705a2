"""One YAML stream to trees with lines, event by event. `document` is the only caller.

We build from libyaml's events and not from PyYAML's constructors because those speak YAML 1.1, keep the last of
duplicate keys without a word and recurse without a bound. A document that breaks a rule of ours is refused with every
such problem; one that breaks the syntax ends the stream. Depth and growth by aliases are bounded.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import msgspec
from yaml._yaml import CParser
from yaml._yaml import Mark as LibyamlMark
from yaml.error import Mark as YamlMark
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from proa.core.config.tree import Json, resolve_plain, shorten, type_name

# No kind of ours nests deeper than twelve; the bound keeps every later recursion far from the interpreter's.
MAX_DEPTH = 64
# Nodes that aliases may add to one document. A real file repeats a block a few times.
MAX_ALIASED_NODES = 20_000

# Each mend reads the stream again.
_MAX_MENDS = 50
_END_OF_WORD = re.compile(r"[,?\[\]{}\n]|:?\s")

_STR, _INT, _FLOAT, _BOOL, _NULL = (
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")
)
_COLLECTION_TAGS = frozenset(["tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!"])


class Mark(msgspec.Struct, frozen=True):
    """The line of a key or item, and the marks inside its value. Lines are 1-based and of the file."""

    line: int
    inside: "Mapping[str | int, Mark]"


Marks = Mapping[str | int, Mark]
NO_MARKS: Marks = {}


class Fault(msgspec.Struct, frozen=True):
    """A problem of the text itself."""

    line: int
    code: str
    message: str


class Tree(msgspec.Struct, frozen=True):
    """One document. With faults it must not be used, but the rest of it may still be checked."""

    line: int
    value: Json
    marks: Marks
    faults: tuple[Fault, ...]


class _Refused(Exception):
    """The document cannot be read on, though its syntax may be right."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def read_stream(text: str, first_line: int) -> tuple[Tree | Fault, ...]:
    """Every document of the stream, which starts at `first_line` of its file; a Fault stands for the unreadable
    document that ends it."""
    trees: list[Tree | Fault] = []
    for _ in range(_MAX_MENDS):
        lines = _Lines(text, first_line)
        trees.clear()
        try:
            trees.extend(_trees(text, lines))
        except _Refused as refused:
            trees.append(refused.fault)
        except MarkedYAMLError as error:
            mended = _mend(text, error)
            if mended is not None:
                text = mended
                continue
            why = error.problem or error.context or "the syntax is broken"
            line = lines.of_mark(error.problem_mark or error.context_mark)
            trees.append(Fault(line, "syntax", f"not valid YAML: {why}"))
        except (YAMLError, UnicodeError):
            message = "a control character or half a character stands here; remove it"
            trees.append(Fault(lines.of_bad_character(), "syntax", message))
        break
    else:
        trees.append(
            Fault(first_line, "syntax", "not valid YAML: too many bare words hold colons; put them in quotes")
        )
    return tuple(trees)


def _trees(text: str, lines: "_Lines") -> Iterator[Tree]:
    parser = CParser(text)
    builder = _Builder(parser.get_event, lines)
    while (event := parser.get_event()) is not None and type(event) is not StreamEndEvent:
        if type(event) is DocumentStartEvent:
            yield builder.document()


def _mend(text: str, error: MarkedYAMLError) -> str | None:
    """The text with the word quoted that libyaml stumbled over, if Kubernetes would have read it as one word.

    `[2001:db8::]` is no error to the parser behind Kubernetes, where a colon ends a word only before a blank.
    """
    start, colon = error.context_mark, error.problem_mark
    if error.problem != "found unexpected ':'" or start is None or colon is None:
        return None
    end = _END_OF_WORD.search(text, colon.index)
    stop = end.start() if end else len(text)
    word = text[start.index : stop].replace("'", "''")
    return None if "\n" in word else f"{text[: start.index]}'{word}'{text[stop:]}"


class _Lines:
    """Line numbers of marks. libyaml also ends lines at characters where editors do not; then we count ourselves."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._first = first
        exotic = re.search("[\x85\u2028\u2029]|\r(?!\n)", text) is not None
        self._ends = [end.end() for end in re.finditer("\n", text)] if exotic else None

    def of_mark(self, mark: YamlMark | LibyamlMark | None) -> int:
        if mark is None:
            return self._first
        return self._first + (mark.line if self._ends is None else bisect_right(self._ends, mark.index))

    def of_bad_character(self) -> int:
        """The line of the first character that YAML forbids: libyaml tells no usable place for those."""
        bad = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]", self._text)
        return self._first + (self._text.count("\n", 0, bad.start()) if bad else 0)


class _Builder:
    """Builds trees from events. Its state (anchors, counts, faults) lives for one document."""

    def __init__(self, next_event: Callable[[], Event | None], lines: _Lines) -> None:
        self._next_event = next_event
        self._lines = lines
        self._reset()

    def _reset(self) -> None:
        self._anchors: dict[str, tuple[Json, Marks, int] | None] = {}
        self._nodes = 0
        self._aliased = 0
        self._faults: list[Fault] = []

    def document(self) -> Tree:
        """The document whose start event was just read."""
        self._reset()
        event = self._next()
        value, marks = self._node(event, 0)
        return Tree(self._line(event), value, marks, tuple(self._faults))

    def _next(self) -> Event:
        event = self._next_event()
        if event is None:
            raise YAMLError("the text ends inside a document")
        return event

    def _node(self, event: Event, depth: int) -> tuple[Json, Marks]:
        self._nodes += 1
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(cast(AliasEvent, event))
        node = cast(NodeEvent, event)
        if node.anchor is None:
            return self._content(node, depth)
        before = self._nodes
        self._anchors[node.anchor] = None
        value, marks = self._content(node, depth)
        self._anchors[node.anchor] = (value, marks, self._nodes - before + 1)
        return value, marks

    def _content(self, event: NodeEvent, depth: int) -> tuple[Json, Marks]:
        if type(event) is ScalarEvent:
            return (resolve_plain(event.value) if event.implicit[0] else self._scalar(event)), NO_MARKS
        if depth >= MAX_DEPTH:
            raise _Refused(
                Fault(self._line(event), "too-large", f"nested deeper than {MAX_DEPTH} levels; flatten it")
            )
        if type(event) is MappingStartEvent:
            self._check_collection_tag(event.tag, event)
            return self._mapping(depth + 1)
        if type(event) is SequenceStartEvent:
            self._check_collection_tag(event.tag, event)
            return self._sequence(depth + 1)
        raise YAMLError(f"unexpected {type(event).__name__}")

    def _scalar(self, event: ScalarEvent) -> Json:
        """A quoted, block or tagged scalar."""
        tag, text = event.tag, event.value
        if tag is None or tag == "!" or tag == _STR:
            return text
        value = resolve_plain(text.strip())
        match tag, value:
            case (str(wanted), bool()) if wanted == _BOOL:
                return value
            case (str(wanted), int()) if wanted in (_INT, _FLOAT):
                return float(value) if wanted == _FLOAT else value
            case (str(wanted), float()) if wanted == _FLOAT:
                return value
            case (str(wanted), None) if wanted == _NULL:
                return None
        self._fault(
            event, "unsupported-yaml", f'the tag {_tag_name(tag)} does not fit "{shorten(text)}"; remove it'
        )
        return text

    def _check_collection_tag(self, tag: str | None, event: Event) -> None:
        if tag is not None and tag not in _COLLECTION_TAGS:
            self._fault(event, "unsupported-yaml", f"the tag {_tag_name(tag)} has no meaning here; remove it")

    def _sequence(self, depth: int) -> tuple[Json, Marks]:
        items: list[Json] = []
        marks: dict[str | int, Mark] = {}
        while type(event := self._next()) is not SequenceEndEvent:
            value, inside = self._node(event, depth)
            marks[len(items)] = Mark(self._line(event), inside)
            items.append(value)
        return items, marks

    def _mapping(self, depth: int) -> tuple[Json, Marks]:
        value: dict[str, Json] = {}
        marks: dict[str | int, Mark] = {}
        merged: list[tuple[dict[str, Json], Marks]] = []
        while type(event := self._next()) is not MappingEndEvent:
            line = self._line(event)
            is_merge = type(event) is ScalarEvent and event.value == "<<" and event.implicit[0]
            key = self._key(event, depth)
            content, inside = self._node(self._next(), depth)
            if is_merge:
                merged += self._merge_sources(content, inside, line)
            elif key in value:
                message = (
                    f'the key "{shorten(key)}" stands in line {marks[key].line} already; keep one of them'
                )
                self._faults.append(Fault(line, "duplicate-key", message))
            else:
                value[key] = content
                marks[key] = Mark(line, inside)
        for source, source_marks in merged:
            for key, content in source.items():
                if key not in value:
                    value[key] = content
                    marks[key] = source_marks[key]
        return value, marks

    def _key(self, event: Event, depth: int) -> str:
        """Keys are text in the end: `8080: x` is the key "8080", as it is on its way to Kubernetes."""
        key, _ = self._node(event, depth)
        match key:
            case str():
                return key
            case bool():
                return str(key).lower()
            case int() | float():
                return str(key)
        self._fault(event, "unsupported-yaml", f"a key must be text, not {type_name(key)}; put it in quotes")
        return "null"

    def _merge_sources(self, content: Json, inside: Marks, line: int) -> list[tuple[dict[str, Json], Marks]]:
        """The mappings behind `<<:`; the first one that has a key gives it, and written keys win over all."""
        if isinstance(content, dict):
            return [(content, inside)]
        if isinstance(content, list) and all(isinstance(item, dict) for item in content):
            return [(cast(dict[str, Json], item), inside[index].inside) for index, item in enumerate(content)]
        message = "`<<` merges an object or a list of objects; write an alias of one after it"
        self._faults.append(Fault(line, "unsupported-yaml", message))
        return []

    def _alias(self, event: AliasEvent) -> tuple[Json, Marks]:
        name = event.anchor or ""
        if name not in self._anchors:
            raise _Refused(
                Fault(self._line(event), "syntax", f"no anchor &{name} stands before the alias *{name}")
            )
        target = self._anchors[name]
        if target is None:
            raise _Refused(
                Fault(self._line(event), "syntax", f"the alias *{name} stands inside its own anchor")
            )
        value, marks, size = target
        self._nodes += size
        self._aliased += size
        if self._aliased > MAX_ALIASED_NODES:
            message = f"aliases expand to more than {MAX_ALIASED_NODES} nodes; write fewer of them"
            raise _Refused(Fault(self._line(event), "too-large", message))
        return value, marks

    def _line(self, event: Event) -> int:
        return self._lines.of_mark(event.start_mark)

    def _fault(self, event: Event, code: str, message: str) -> None:
        self._faults.append(Fault(self._line(event), code, message))


def _tag_name(tag: str) -> str:
    return shorten(tag.replace("tag:yaml.org,2002:", "!!", 1))
