"""Writes an expression out again, with the parentheses that it needs: for explanations and messages. `parse` reads it
back as the same tree."""

from typing import assert_never

from proa.core.expression.quotes import quoted
from proa.core.expression.syntax import (
    CHAINS,
    PRECEDENCE,
    Attribute,
    Binary,
    Call,
    Expression,
    Index,
    Number,
    Text,
    Truth,
    Unary,
)

# Stronger than any operator between two operands.
_PRIMARY = 7
_UNARY = 6


def expression_text(expression: Expression) -> str:
    match expression:
        case Attribute():
            return expression.name
        case Number():
            return repr(expression.value)
        case Truth():
            return str(expression.value).lower()
        case Text():
            return quoted(expression.value)
        case Unary():
            return expression.operator + _within(expression.operand, _UNARY)
        case Binary():
            return _binary_text(expression)
        case Index():
            return f"{_within(expression.target, _PRIMARY)}[{expression_text(expression.key)}]"
        case Call():
            arguments = ", ".join(expression_text(argument) for argument in expression.arguments)
            return f"{_target_text(expression.target)}{expression.function}({arguments})"
        case _:
            assert_never(expression)


def _binary_text(expression: Binary) -> str:
    strength = PRECEDENCE[expression.operator]
    first, *others = expression.operands
    # A chain of the same operator would swallow a first operand that is one itself.
    swallowed = (
        expression.operator in CHAINS and isinstance(first, Binary) and first.operator == expression.operator
    )
    texts = [_within(first, strength + swallowed)]
    texts += [_within(other, strength + 1) for other in others]
    return f" {expression.operator} ".join(texts)


def _target_text(target: Expression | None) -> str:
    if target is None:
        return ""
    if isinstance(target, (Index, Number, Truth)):
        # What the grammar takes for something else in this place.
        return f"({expression_text(target)})."
    return f"{_within(target, _PRIMARY)}."


def _within(expression: Expression, strength: int) -> str:
    text = expression_text(expression)
    return text if _strength(expression) >= strength else f"({text})"


def _strength(expression: Expression) -> int:
    match expression:
        case Binary():
            return PRECEDENCE[expression.operator]
        case Unary():
            return _UNARY
        case Number() if expression.value < 0:
            return _UNARY
        case _:
            return _PRIMARY
