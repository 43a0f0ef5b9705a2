"""An expression with types: what the checker makes and what compilers read.

Three shapes are left: an attribute is read, a constant is known, a function is applied (operators are functions).
What CEL means otherwise than Mixer has functions of its own: `!`, `any` and `all` (which forgive an error when another
operand decides), `get[]` (fails without the key), `has` (of a Read) and `has[]`, `contains`, `length` (in characters),
`lowerAscii`.
"""

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import msgspec

from proa.core.attributes.value_types import Value, ValueType

Language = Literal["MIXER", "CEL"]
"""What a condition is written in."""


class Read(msgspec.Struct, frozen=True):
    name: str
    type: ValueType


class Constant(msgspec.Struct, frozen=True):
    value: Value
    type: ValueType


class Apply(msgspec.Struct, frozen=True):
    """`over` is what T stands for in this place; None for a function without T."""

    function: str
    type: ValueType
    over: ValueType | None
    arguments: tuple["Typed", ...]


Typed: TypeAlias = Read | Constant | Apply

KEYED: Final = frozenset(("[]", "get[]", "has[]"))
"""Functions of a map and a key, which read no other key of it."""


class Checked(msgspec.Struct, frozen=True):
    """Never fails for its types when it is evaluated over a bag whose values have the vocabulary's types."""

    root: Typed

    @property
    def type(self) -> ValueType:
        return self.root.type


def reads_of(root: Typed) -> Iterator[Read]:
    """Every attribute that may be read, once per place, from left to right."""
    match root:
        case Read():
            yield root
        case Apply():
            for argument in root.arguments:
                yield from reads_of(argument)
        case Constant():
            pass
