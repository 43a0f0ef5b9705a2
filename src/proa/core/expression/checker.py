"""Whether an expression makes sense: known attributes, known functions, fitting types. All faults are reported.

A quoted text that reads as a duration (`"10s"`) is a STRING or a DURATION, as its place wants; where the place
leaves it open it is a DURATION. (Mixer took it for a DURATION everywhere, so that `"0"` could be no STRING.)
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from typing import Final, Literal, TypeAlias, assert_never

from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import Vocabulary
from proa.core.expression.functions import FUNCTIONS, INDEX, OPERATORS, Function
from proa.core.expression.printer import expression_text
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
from proa.core.expression.typed import Apply, Checked, Constant, Read, Typed


class _Open(Enum):
    """The type of a text that reads as a duration, until its place decides."""

    EITHER = "STRING"

    def __str__(self) -> str:
        return self.value


_EITHER: Final = _Open.EITHER
_Type: TypeAlias = ValueType | Literal[_Open.EITHER]
_EITHER_TYPES = frozenset((ValueType.STRING, ValueType.DURATION))
# What helps a reader; looking for near names takes milliseconds each.
_MOST_FAULTS = 20


def check(
    expression: Expression, vocabulary: Vocabulary, expected: ValueType | None = None
) -> Checked | tuple[Fault, ...]:
    """`expected`: the type that the expression must have; None takes any."""
    checking = _Checking(vocabulary)
    found = checking.infer(expression)
    if found is not None and expected is not None and not _fits(found, expected):
        checking.fault(expression, f"the expression is {found} and must be {expected}", _way(found, expected))
    if checking.faults:
        return tuple(sorted(checking.faults, key=lambda fault: fault.column))
    return Checked(checking.build(expression, expected))


def _fits(found: _Type, wanted: ValueType) -> bool:
    return wanted in _EITHER_TYPES if found is _EITHER else found is wanted


def _way(found: _Type, wanted: ValueType) -> str:
    """What helps, if there is something to be said."""
    if wanted is ValueType.BOOL:
        return 'compare it with something, like == "..."'
    if found in (ValueType.STRING, _EITHER):
        names = [
            name
            for name in ("ip", "timestamp", "dnsName", "email", "uri")
            if FUNCTIONS[name].result is wanted
        ]
        return f"convert it by {names[0]}(...)" if names else ""
    return ""


class _Checking:
    """Goes over the tree twice: types from the leaves up, then typed nodes from the root down. Both remember by the
    node's identity, which holds because the tree outlives the check."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._types: dict[int, _Type] = {}
        self._over: dict[int, _Type] = {}
        self.faults: list[Fault] = []

    def fault(self, at: Expression, message: str, hint: str = "") -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(at.column, message, hint))

    def _near(self, names: Iterable[str]) -> list[str]:
        return [] if len(self.faults) >= _MOST_FAULTS else list(names)

    def infer(self, node: Expression) -> _Type | None:
        """None: there is a fault below, which is reported already."""
        found = self._infer(node)
        if found is not None:
            self._types[id(node)] = found
        return found

    def _infer(self, node: Expression) -> _Type | None:
        match node:
            case Attribute():
                return self._attribute(node)
            case Number():
                return ValueType.INT64 if isinstance(node.value, int) else ValueType.DOUBLE
            case Truth():
                return ValueType.BOOL
            case Text():
                return ValueType.STRING if node.span is None else _EITHER
            case Unary():
                self.infer(node.operand)
                hint = "compare with == false" if node.operator == "!" else "there are no negative numbers"
                self.fault(node, f'there is no operator "{node.operator}" before a value', hint)
                return None
            case Binary():
                function = OPERATORS.get(node.operator)
                if function is None:
                    known = "there are == != < <= > >= && || | and +"
                    self.fault(node, f'there is no operator "{node.operator}"', known)
                return self._applied(node, function, node.operands)
            case Index():
                return self._applied(node, INDEX, (node.target, node.key))
            case Call():
                arguments = node.arguments if node.target is None else (node.target, *node.arguments)
                return self._applied(node, self._function(node), arguments)
            case _:
                assert_never(node)

    def _attribute(self, node: Attribute) -> ValueType | None:
        found = self._vocabulary.type_of(node.name)
        if found is None:
            near = get_close_matches(node.name[:80], self._near(self._vocabulary.types), n=1, cutoff=0.75)
            hint = (
                f'did you mean "{near[0]}"?'
                if near
                else "quote it if it is a text, or declare it in a manifest"
            )
            self.fault(node, f'there is no attribute "{node.name[:80]}"', hint)
        return found

    def _function(self, node: Call) -> Function | None:
        function = FUNCTIONS.get(node.function)
        if function is None:
            near = get_close_matches(node.function[:80], self._near(FUNCTIONS), n=1, cutoff=0.6)
            hint = f'did you mean "{near[0]}"?' if near else "there are " + ", ".join(sorted(FUNCTIONS))
            self.fault(node, f'there is no function "{node.function[:80]}"', hint)
            return None
        given = len(node.arguments)
        if function.on_target != (node.target is not None):
            way = "x.{}(...)" if function.on_target else "{}(...)"
            self.fault(node, f"{function.name} is not called like this", f"write {way.format(function.name)}")
        elif given != (wanted := len(function.parameters) - function.on_target):
            takes = "no arguments" if not wanted else "1 argument" if wanted == 1 else f"{wanted} arguments"
            self.fault(node, f"{function.name} takes {takes}, not {given}")
        else:
            return function
        return None

    def _applied(
        self, node: Expression, function: Function | None, arguments: tuple[Expression, ...]
    ) -> _Type | None:
        types = [self.infer(argument) for argument in arguments]
        if function is None:
            return None
        over = self._generic(node, function, types)
        if over is not None:
            self._over[id(node)] = over
        good = True
        for number, (argument, found) in enumerate(zip(arguments, types, strict=True), 1):
            parameter = _parameter(function, number)
            wanted = over if parameter is None else parameter
            if found is None or wanted is None or found == wanted:
                continue
            if wanted is _EITHER or not _fits(found, wanted):
                good = False
                message = f"{_place(function, number)} is {found} and must be {wanted}"
                self.fault(argument, message, "" if wanted is _EITHER else _way(found, wanted))
        if function.result is not None:
            return function.result
        return over if good else None

    def _generic(self, node: Expression, function: Function, types: list[_Type | None]) -> _Type | None:
        """What T stands for; the first argument that says so decides."""
        given = [found for number, found in enumerate(types, 1) if _parameter(function, number) is None]
        decided = [found for found in given if isinstance(found, ValueType)]
        if not decided:
            if not given or None in given:
                return None
            return _EITHER if ValueType.DURATION in function.over else ValueType.STRING
        if decided[0] not in function.over:
            name = f'the operator "{function.name}"' if function.name in OPERATORS else function.name
            takes = ", ".join(sorted(each.name for each in function.over))
            self.fault(node, f"{name} does not take {decided[0]}", f"it takes {takes}")
            return None
        return decided[0]

    def build(self, node: Expression, wanted: ValueType | None) -> Typed:
        """After `infer` found no fault. `wanted` settles what is open."""
        match node:
            case Attribute():
                return Read(node.name, self._settled(self._types[id(node)], wanted))
            case Number():
                return Constant(node.value, self._settled(self._types[id(node)], wanted))
            case Truth():
                return Constant(node.value, ValueType.BOOL)
            case Text():
                settled = self._settled(self._types[id(node)], wanted)
                if settled is ValueType.DURATION and node.span is not None:
                    return Constant(node.span, settled)
                return Constant(node.value, settled)
            case Binary():
                return self._built(node, OPERATORS[node.operator], node.operands, wanted)
            case Index():
                return self._built(node, INDEX, (node.target, node.key), wanted)
            case Call():
                arguments = node.arguments if node.target is None else (node.target, *node.arguments)
                return self._built(node, FUNCTIONS[node.function], arguments, wanted)
            case Unary():
                raise AssertionError(f"unchecked: {expression_text(node)}")
            case _:
                assert_never(node)

    def _built(
        self,
        node: Expression,
        function: Function,
        arguments: tuple[Expression, ...],
        wanted: ValueType | None,
    ) -> Apply:
        over = self._over.get(id(node))
        settled = None if over is None else self._settled(over, wanted if function.result is None else None)
        built = tuple(
            self.build(
                argument, settled if (parameter := _parameter(function, number)) is None else parameter
            )
            for number, argument in enumerate(arguments, 1)
        )
        result = function.result or settled
        assert result is not None
        return Apply(function.name, result, settled, built)

    @staticmethod
    def _settled(found: _Type, wanted: ValueType | None) -> ValueType:
        return found if isinstance(found, ValueType) else wanted or ValueType.DURATION


def _parameter(function: Function, number: int) -> ValueType | None:
    """Of the argument with that number, counted from 1."""
    return function.parameters[min(number, len(function.parameters)) - 1]


def _place(function: Function, number: int) -> str:
    if function.name in OPERATORS:
        return f'operand {number} of "{function.name}"'
    if function is INDEX:
        return "what is indexed" if number == 1 else "the index"
    if function.on_target:
        return (
            f"what {function.name} is called on"
            if number == 1
            else f"argument {number - 1} of {function.name}"
        )
    return f"argument {number} of {function.name}"
