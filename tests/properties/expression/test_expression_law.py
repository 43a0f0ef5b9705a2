"""Laws of Mixer's expressions, over well-typed ones and over any text."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.value_types import Value, ValueType, has_type
from proa.core.expression.cel_reader import read_cel
from proa.core.expression.checker import check
from proa.core.expression.folding import fold
from proa.core.expression.parser import parse
from proa.core.expression.printer import expression_text
from proa.core.expression.program import Program, compile_expression, compile_typed
from proa.core.expression.semantics import EvaluationError
from proa.core.expression.syntax import Expression, Fault
from proa.core.expression.tracing import Evaluation, traced
from proa.core.expression.typed import Language
from tests.properties.expression.drawn import (
    KEYS,
    KNOWN,
    NAMES,
    TYPES,
    VALUES,
    bags,
    cel_texts_of,
    cel_types,
    texts_of,
    types,
)

_TOKENS = st.sampled_from(
    [
        *(
            "a",
            "b.c",
            "true",
            "1",
            "2.5",
            '"t"',
            "`r`",
            "'c'",
            '"10s"',
            "f",
            "$out",
            "type",
            "\n",
            "//x",
            "/**/",
        ),
        *(
            "==",
            "!=",
            "<",
            "&&",
            "||",
            "|",
            "+",
            "-",
            "!",
            "^",
            "*",
            "(",
            ")",
            "[",
            "]",
            ".",
            ",",
            "=",
            "\\",
            '"',
        ),
    ]
)


def _without_columns(tree: object) -> object:
    """As plain data."""
    if isinstance(tree, msgspec.Struct):
        fields = {
            name: _without_columns(getattr(tree, name)) for name in tree.__struct_fields__ if name != "column"
        }
        return type(tree).__name__, fields
    return [_without_columns(each) for each in tree] if isinstance(tree, tuple) else tree


def _read_back(expression: Expression) -> None:
    printed = expression_text(expression)
    again = parse(printed, outputs=True)
    assert not isinstance(again, Fault), (printed, str(again))
    assert _without_columns(again) == _without_columns(expression)


@given(types.flatmap(texts_of))
def test_what_is_printed_is_read_back(text: str) -> None:
    expression = parse(text)
    assert not isinstance(expression, Fault), str(expression)
    _read_back(expression)


@given(st.lists(_TOKENS, max_size=25).map(" ".join) | st.lists(_TOKENS, max_size=25).map("".join) | st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    found = parse(text, outputs=True)
    if isinstance(found, Fault):
        assert 1 <= found.column <= len(text) + 1
        assert found.message
    else:
        _read_back(found)
        check(found, KNOWN)


@given(
    st.lists(_TOKENS | st.sampled_from(("?", ":", "in", "has(", 'r"x"')), max_size=25).map(" ".join)
    | st.text()
)
def test_any_text_is_read_as_cel_or_refused_with_a_place(text: str) -> None:
    found = read_cel(text, KNOWN)
    if isinstance(found, tuple):
        assert 1 <= found[0].column <= len(text) + 1
        assert found[0].message


@given(st.data())
def test_a_checked_expression_never_fails_for_its_types(data: st.DataObject) -> None:
    """Soundness: over values of the declared types there is a value of the inferred type, or an absent attribute, or a
    value that cannot be converted. Nothing else is ever raised."""
    program = _compiled(*_drawn(data))
    found = program.trace(data.draw(bags))
    if found.error is not None:
        assert found.error.reason in ("absent", "bad-value")
    else:
        assert found.value is not None
        assert has_type(found.value, program.type)


@given(st.data())
def test_recording_changes_nothing(data: st.DataObject) -> None:
    program = _compiled(*_drawn(data))
    bag = data.draw(bags)
    traced = program.trace(bag)
    if traced.error is not None:
        assert traced.value is None
        with pytest.raises(EvaluationError, match=re.escape(str(traced.error))):
            program.evaluate(bag)
    else:
        assert _same(traced.value, program.evaluate(bag))
    assert {each.name for each in traced.references} <= set(program.attributes)


@given(st.data())
def test_references_are_all_that_the_result_depends_on(data: st.DataObject) -> None:
    """Any other bag that agrees on them has the same result and the same references: what verdicts are cached by."""
    program = _compiled(*_drawn(data))
    bag = data.draw(bags)
    found = program.trace(bag)
    other = _agreeing(found, bag, data.draw(bags))
    again = program.trace(other)
    assert _same(again.value, found.value)
    assert str(again.error) == str(found.error)
    assert again.references == found.references


@given(st.data())
def test_declared_types_are_asked_for(data: st.DataObject) -> None:
    """A value of another type than declared ends the evaluation, if it is read at all."""
    wanted = data.draw(types)
    program = _compiled(data.draw(texts_of(wanted)), wanted)
    bag = dict(data.draw(bags))
    wrong: dict[str, Value] = {
        name: (7 if each is not ValueType.INT64 else "7") for each in TYPES for name in NAMES[each]
    }
    found = program.trace({**bag, **wrong})
    if found.references:
        assert found.error is not None
        assert found.error.reason == "wrong-type"


def _drawn(data: st.DataObject) -> tuple[str, ValueType, Language]:
    """In either language."""
    if data.draw(st.booleans()):
        in_cel = data.draw(cel_types)
        return data.draw(cel_texts_of(in_cel)), in_cel, "CEL"
    wanted = data.draw(types)
    return data.draw(texts_of(wanted)), wanted, "MIXER"


def _compiled(text: str, wanted: ValueType, language: Language = "MIXER") -> Program:
    program = compile_expression(text, KNOWN, wanted, language=language)
    assert isinstance(program, Program), (text, [str(fault) for fault in program])
    # What is wanted settles what is open, and nothing else.
    assert isinstance(compile_expression(text, KNOWN, language=language), Program)
    return program


def _agreeing(found: Evaluation, bag: dict[str, Value], other: dict[str, Value]) -> dict[str, Value]:
    """`other`, with what was referenced as it is in `bag`."""
    agreeing = dict(other)
    for reference in found.references:
        if reference.key is not None:
            continue
        agreeing.pop(reference.name, None)
        if reference.condition == "exact":
            agreeing[reference.name] = bag[reference.name]
        elif reference.condition == "present":
            content = other.get(reference.name)
            agreeing[reference.name] = dict(content) if isinstance(content, dict) else {"other": "x"}
    for reference in found.references:
        content = agreeing.get(reference.name)
        if reference.key is None or not isinstance(content, dict):
            continue
        content.pop(reference.key, None)
        source = bag[reference.name]
        if reference.condition == "exact" and isinstance(source, dict):
            content[reference.key] = source[reference.key]
    return agreeing


def _same(first: Value | None, second: Value | None) -> bool:
    if isinstance(first, (dict, Map)) and isinstance(second, (dict, Map)):
        return dict(first) == dict(second)
    return type(first) is type(second) and repr(first) == repr(second)


def test_all_types_are_drawn() -> None:
    assert set(VALUES) == set(TYPES) == set(ValueType)
    assert KEYS


@given(st.data())
def test_what_is_left_of_an_expression_has_the_same_value(data: st.DataObject) -> None:
    """With some attributes known before: the rest of it agrees on every bag that agrees with them."""
    program = _compiled(*_drawn(data))
    bag = data.draw(bags)
    known = data.draw(st.sets(st.sampled_from(sorted(KNOWN.types))))
    facts: dict[str, Value | None] = {name: bag.get(name) for name in known}
    found = program.trace(bag)
    rest = traced(compile_typed(fold(program.checked.root, facts)), bag)
    assert _same(rest.value, found.value)
    assert (rest.error is None) == (found.error is None)
    present = {name for name in known if name in bag}
    assert not present & {each.name for each in rest.references}
