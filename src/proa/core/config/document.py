"""Files of configuration to documents that remember file and line. `config` and the CLI call `parse`.

A file is cut at its `---` and `...` lines before libyaml sees it, so that a document with broken syntax does not
hide the ones after it: the markers cannot stand at a line's start inside any YAML value. JSON is read as YAML.
This module does not know what a document means, with two exceptions: a Kubernetes `List` is the objects in it, and old
spellings of an object are respelled (`legacy.spelling`) so that everybody after it sees one form.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

import msgspec

from proa.core.config.legacy.spelling import respell, written_path
from proa.core.config.path import Path, path_text
from proa.core.config.problem import Finding, Problem
from proa.core.config.tree import Json, type_name
from proa.core.config.yaml_reader import NO_MARKS, Fault, Marks, Tree, read_stream

# A directive line (`%YAML 1.2`) belongs to the document after it.
_DOCUMENT_START = re.compile(r"^(?:%[^\n]*\n)*---(?=\s|\Z)", re.MULTILINE)
# libyaml knows no bare document after this line, so it is cut too.
_DOCUMENT_END = re.compile(r"^\.\.\.(?=\s|\Z)[^\n]*\n?", re.MULTILINE)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One object. `problems` are those of its text (a duplicate key); with an error among them it may be checked
    further and must not be used. `moved`: where an old spelling had what `value` has at a path of today."""

    file: str
    line: int
    value: dict[str, Json]
    marks: Marks
    problems: tuple[Problem, ...] = ()
    moved: Mapping[Path, Path] = {}

    def line_of(self, path: Path) -> int:
        """The 1-based line of the key or item at `path`, or of its nearest ancestor that the text has."""
        line, marks = self.line, self.marks
        for step in written_path(self.moved, path):
            mark = marks.get(step) or marks.get(_with_underscores(step))
            if mark is None:
                break
            line, marks = mark.line, mark.inside
        return line

    def problem(self, path: Path, code: str, message: str) -> Problem:
        """An error at a place of this document."""
        return self.placed(Finding(path, code, message))

    def placed(self, finding: Finding) -> Problem:
        """What was found at a place of `value`, told of the place as written."""
        line, path = self.line_of(finding.path), path_text(written_path(self.moved, finding.path))
        return Problem(self.file, line, path, finding.code, finding.message, finding.severity)


def _with_underscores(step: str | int) -> str | int:
    """The other way to write a field of 2018: findings speak of `maxAmount` where the text has `max_amount`."""
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), step) if isinstance(step, str) else step


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """`problems` are those of texts that are no documents at all; a document's own lie in it."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


def parse(text: str, file: str) -> Parsed:
    """All documents of one file. Never raises; empty documents are skipped."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for chunk, first_line in _chunks(text.removeprefix("\ufeff")):
        # What ends too early is an error of its last line, not of the next document's first.
        last_line = first_line + chunk.rstrip().count("\n")
        for tree in read_stream(chunk, first_line):
            if isinstance(tree, Fault):
                problems.append(_text_problem(tree, file, last_line))
            elif isinstance(tree.value, dict):
                own = tuple(_text_problem(fault, file, last_line) for fault in tree.faults)
                document = Document(
                    file=file, line=tree.line, value=tree.value, marks=tree.marks, problems=own
                )
                _expand(document, documents, problems)
            elif tree.value is not None or tree.faults:
                problems += _not_a_document(tree, file, last_line)
    return Parsed(documents=tuple(documents), problems=tuple(problems))


def _chunks(text: str) -> Iterator[tuple[str, int]]:
    """The text between document markers, each with the line it starts at."""
    cuts = {match.start() for match in _DOCUMENT_START.finditer(text)}
    cuts |= {match.end() for match in _DOCUMENT_END.finditer(text)}
    edges = sorted({0, *cuts, len(text)})
    line = 1
    for start, end in pairwise(edges):
        yield text[start:end], line
        line += text.count("\n", start, end)


def _text_problem(fault: Fault, file: str, last_line: int) -> Problem:
    return Problem(file, min(fault.line, last_line), "", fault.code, fault.message)


def _not_a_document(tree: Tree, file: str, last_line: int) -> list[Problem]:
    problems = [_text_problem(fault, file, last_line) for fault in tree.faults]
    if tree.value is not None:
        message = f"a document must be an object with apiVersion, kind, metadata and spec, not {type_name(tree.value)}"
        problems.append(Problem(file, min(tree.line, last_line), "", "not-an-object", message))
    return problems


def _expand(document: Document, documents: list[Document], problems: list[Problem]) -> None:
    """The document itself, or the objects inside a Kubernetes List, lists in lists included."""
    if document.value.get("kind") != "List" or document.value.get("apiVersion") != "v1":
        documents.append(_respelled(document))
        return
    problems += document.problems
    items = document.value.get("items")
    if items is not None and not isinstance(items, list):
        problems.append(
            document.problem(("items",), "wrong-type", f"expected a list, found {type_name(items)}")
        )
        return
    mark = document.marks.get("items")
    marks = mark.inside if mark else NO_MARKS
    for index, item in enumerate(items or ()):
        if not isinstance(item, dict):
            message = f"an item of a List must be an object, not {type_name(item)}"
            problems.append(document.problem(("items", index), "not-an-object", message))
            continue
        inside = marks[index].inside
        line = document.line_of(("items", index))
        _expand(Document(file=document.file, line=line, value=item, marks=inside), documents, problems)


def _respelled(document: Document) -> Document:
    found = respell(document.value)
    if found is None:
        return document
    respelled = msgspec.structs.replace(document, value=found.value, moved=found.moved)
    told = tuple(respelled.placed(finding) for finding in found.findings)
    return msgspec.structs.replace(respelled, problems=(*document.problems, *told))
