"""Cases of `proa mixer eval --batch`, one JSON object a line, and their answers in the same form.

A case: `{"id", "expr", "manifest", "attributes": {name: [TYPE, value]}}`; what else stands in it is not read. No
manifest is the standard vocabulary. An answer: `{"id", "type", "value", "references"}`, or
`{"id", "error": "compile" or "runtime", "message"}`; a runtime error has references too, for it depends on them.
"""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from proa.core.attributes.value_texts import Written, written_value
from proa.core.attributes.value_types import Value
from proa.core.attributes.vocabulary import STANDARD, Vocabulary
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.syntax import Fault
from proa.core.mixer.evaluation.files import typed_value

Answer: TypeAlias = dict[str, str | int | Written | list[str]]
_Compiled: TypeAlias = Program | tuple[Fault, ...]


class BadCase(Exception):
    """Its text tells what is wrong with the line."""


class Cases:
    """Answers one line after the other. Owner: one run of the command. Each expression is compiled once."""

    def __init__(self, manifests: Mapping[str, Vocabulary]) -> None:
        self._manifests = manifests
        self._compiled: dict[tuple[str, str], _Compiled] = {}

    def answer(self, line: bytes) -> Answer:
        """Raises BadCase."""
        case = _object(line)
        name = case.get("id")
        if not isinstance(name, (int, str)) or isinstance(name, bool):
            raise BadCase('a case needs an "id", a number or a text')
        expression, manifest = case.get("expr"), case.get("manifest", "")
        if not isinstance(expression, str):
            raise BadCase('a case needs an "expr", a text')
        if not isinstance(manifest, str) or (manifest and manifest not in self._manifests):
            known = ", ".join(sorted(self._manifests)) or "none"
            raise BadCase(f'there is no manifest "{manifest}"; the file of manifests has {known}')
        bag = _bag(case.get("attributes", {}))
        return {"id": name, **answer_of(self._program(manifest, expression), bag)}

    def _program(self, manifest: str, text: str) -> _Compiled:
        key = (manifest, text)
        if key not in self._compiled:
            vocabulary = self._manifests[manifest] if manifest else STANDARD
            self._compiled[key] = compile_expression(text, vocabulary)
        return self._compiled[key]


def answer_of(program: _Compiled, bag: Mapping[str, Value]) -> Answer:
    """Without an id."""
    if not isinstance(program, Program):
        return {"error": "compile", "message": "\n".join(map(str, program))}
    found = program.trace(bag)
    references = sorted(map(str, found.references))
    if found.value is None:
        return {"error": "runtime", "message": str(found.error), "references": references}
    return {"type": program.type.name, "value": written_value(found.value), "references": references}


def _object(line: bytes) -> dict[str, object]:
    try:
        case: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadCase(f"no JSON: {error}") from None
    if not isinstance(case, dict):
        raise BadCase("a case is an object")
    return case


def _bag(written: object) -> dict[str, Value]:
    if not isinstance(written, dict):
        raise BadCase('"attributes" is an object of [TYPE, value]')
    bag: dict[str, Value] = {}
    for name, value in written.items():
        try:
            bag[name] = typed_value(value)
        except ValueError as error:
            raise BadCase(f'attribute "{name}": {error}') from None
    return bag
