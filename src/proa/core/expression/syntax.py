"""What an expression is made of once it is read. Made by the parser; the checker gives it types.

Columns are 1-based and count characters of the text, or lines' ends as one; they are for messages alone.
"""

from typing import TypeAlias

import msgspec

from proa.core.attributes.value_types import Span


class Fault(msgspec.Struct, frozen=True):
    """What a user must mend in an expression."""

    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"column {self.column}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class Attribute(msgspec.Struct, frozen=True):
    """A dotted name is one name."""

    name: str
    column: int


class Number(msgspec.Struct, frozen=True):
    """An int is an INT64, a float a DOUBLE."""

    value: int | float
    column: int


class Truth(msgspec.Struct, frozen=True):
    value: bool
    column: int


class Text(msgspec.Struct, frozen=True):
    """A quoted text. `span`: it reads as a duration, which it is where a DURATION is wanted, or nothing else."""

    value: str
    span: Span | None
    column: int


class Unary(msgspec.Struct, frozen=True):
    """Go reads it, Mixer has no function for it."""

    operator: str
    operand: "Expression"
    column: int


class Binary(msgspec.Struct, frozen=True):
    """Of two operands, or of more for `||`, `&&`, `|` and `+`: they associate, so a chain is flat however long."""

    operator: str
    operands: tuple["Expression", ...]
    column: int


class Index(msgspec.Struct, frozen=True):
    target: "Expression"
    key: "Expression"
    column: int


class Call(msgspec.Struct, frozen=True):
    """`function(arguments)`, or `target.function(arguments)`."""

    function: str
    target: "Expression | None"
    arguments: tuple["Expression", ...]
    column: int


Expression: TypeAlias = Attribute | Number | Truth | Text | Unary | Binary | Index | Call

# Operators that bind equally have the same number; more binds more. Go's table.
PRECEDENCE = {
    **dict.fromkeys(("*", "/", "%", "<<", ">>", "&", "&^"), 5),
    **dict.fromkeys(("+", "-", "|", "^"), 4),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3),
    "&&": 2,
    "||": 1,
}
CHAINS = frozenset(("||", "&&", "|", "+"))
UNARY = frozenset(("+", "-", "!", "^", "*"))
# Words that Go keeps for itself; none can be a name or a part of one.
GO_WORDS = frozenset(
    (
        *(
            "break",
            "case",
            "chan",
            "const",
            "continue",
            "default",
            "defer",
            "else",
            "fallthrough",
            "for",
            "func",
        ),
        *("go", "goto", "if", "import", "interface", "map", "package", "range", "return", "select", "struct"),
        *("switch", "type", "var"),
    )
)
