"""Whether a text can be an expression of Mixer's language (`source.labels["app"] | "unknown"`). Validators of Mixer's
kinds ask.

One object alone does not know which attributes manifests declare. So where all attributes are standard ones, whose
types no manifest can change, types are checked; where one is not, syntax alone, and the rest is for `proa analyze`.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import STANDARD, Vocabulary
from proa.core.expression.cel_reader import UnknownAttribute, read_cel
from proa.core.expression.checker import check
from proa.core.expression.parser import parse
from proa.core.expression.syntax import (
    Attribute,
    Binary,
    Call,
    Expression,
    Fault,
    Index,
    Number,
    Text,
    Truth,
    Unary,
)
from proa.core.expression.typed import Checked, Language


def expression_faults(
    text: str,
    expected: ValueType | None = None,
    *,
    outputs: Mapping[str, ValueType] | None = None,
    language: Language = "MIXER",
) -> tuple[str, ...]:
    """What is wrong with it, in a user's words. `outputs`: it may speak of what a generator gives, `$out.name`."""
    if language == "CEL":
        return _cel_faults(text, expected)
    found = parse(text, outputs is not None)
    if isinstance(found, Fault):
        return (f"no expression: {found}",)
    types = STANDARD.types
    if outputs:
        types = types.update({f"$out.{name}": value_type for name, value_type in outputs.items()})
    if any(name not in types for name in attributes_of(found)):
        return ()
    checked = check(found, Vocabulary(types), expected)
    return () if isinstance(checked, Checked) else tuple(map(str, checked))


def _cel_faults(text: str, expected: ValueType | None) -> tuple[str, ...]:
    """In CEL names and keys are told apart by what is an attribute: a name that none begins may be a manifest's."""
    read = read_cel(text, STANDARD, expected)
    if isinstance(read, Checked):
        return ()
    return tuple(f"no condition in CEL: {fault}" for fault in read if not isinstance(fault, UnknownAttribute))


def attributes_of(expression: Expression) -> Iterator[str]:
    """Every attribute that is named, once per place."""
    match expression:
        case Attribute():
            yield expression.name
        case Binary():
            for operand in expression.operands:
                yield from attributes_of(operand)
        case Unary():
            yield from attributes_of(expression.operand)
        case Index():
            yield from attributes_of(expression.target)
            yield from attributes_of(expression.key)
        case Call():
            for part in (*((expression.target,) if expression.target else ()), *expression.arguments):
                yield from attributes_of(part)
        case Number() | Text() | Truth():
            pass
        case _:
            assert_never(expression)
