"""Reads a condition that is written in CEL, and checks it: to the same typed tree that Mixer's own language becomes.

Names are Mixer's attributes: `request.headers["x-user"]`, `source.labels.version`. What differs from Mixer's language
is CEL's own: a key that a map lacks is an error and no empty text, `has()` asks before, and `&&` and `||` forgive an
error on one side when the other side decides. Of CEL there is what a condition over attributes needs; arithmetic, lists
other than behind `in`, comprehensions and conversions of types are Faults.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from proa.core.attributes.time_texts import parse_span, parse_timestamp
from proa.core.attributes.value_types import INT64_MAX, INT64_MIN, ValueType
from proa.core.attributes.vocabulary import Vocabulary
from proa.core.expression.cel_cursor import Cursor
from proa.core.expression.cel_lexer import RESERVED, Token, cel_tokens
from proa.core.expression.functions import ADDED, ORDERED
from proa.core.expression.lexer import Unreadable
from proa.core.expression.syntax import Fault
from proa.core.expression.typed import Apply, Checked, Constant, Read, Typed

MOST_ITEMS: Final = 64
"""Of a list behind `in`."""
_BOOL, _STRING, _MAP = ValueType.BOOL, ValueType.STRING, ValueType.STRING_MAP
_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
_COMPARED: Final = frozenset(ValueType) - {_MAP}
_METHODS: Final = ("contains", "endsWith", "matches", "startsWith")
_COUNTING: Final = ("lowerAscii", "size")
"""They take nothing."""
_CALLS: Final = ("duration", "has", "ip", "size", "timestamp")


class UnknownAttribute(Fault, frozen=True):
    """Perhaps one that a manifest declares."""


def read_cel(text: str, vocabulary: Vocabulary, expected: ValueType | None = None) -> Checked | tuple[Fault]:
    """`expected`: the type that it must have; None takes any."""
    try:
        reading = _Reading(cel_tokens(text), vocabulary)
        root = reading.whole()
        if expected is not None and root.type is not expected:
            raise Unreadable(1, f"the expression is {root.type} and must be {expected}")
    except Unreadable as error:
        return (error.fault,)
    return Checked(root)


class _Reading(Cursor):
    def __init__(self, found: list[Token], vocabulary: Vocabulary) -> None:
        super().__init__(found)
        self._vocabulary = vocabulary

    # -- operators, the weakest first --

    def whole(self) -> Typed:
        found = self._choice()
        if self._token.kind != "end":
            raise self._unexpected("an operator or the end", "join two conditions with && or ||")
        return found

    def _choice(self) -> Typed:
        self._deeper()
        column = self._token.column
        found = self._logic("||", "any", lambda: self._logic("&&", "all", self._comparison))
        if self._took("?"):
            self._want(found, _BOOL, column, 'what stands before "?"')
            column = self._token.column
            first = self._choice()
            self._expect(":", "a choice is condition ? value : value")
            second = self._choice()
            if first.type is not second.type:
                raise Unreadable(column, f"one choice is {first.type}, the other {second.type}")
            found = Apply("conditional", first.type, first.type, (found, first, second))
        self._depth -= 1
        return found

    def _logic(self, operator: str, function: str, operand: Callable[[], Typed]) -> Typed:
        column = self._token.column
        operands = [operand()]
        while self._is(operator):
            self._want(operands[-1], _BOOL, column, f'an operand of "{operator}"')
            self._at += 1
            column = self._token.column
            operands.append(operand())
        if len(operands) == 1:
            return operands[0]
        self._want(operands[-1], _BOOL, column, f'an operand of "{operator}"')
        return Apply(function, _BOOL, None, tuple(operands))

    def _comparison(self) -> Typed:
        found, outside = self._sum(), self._depth
        while self._is(*_COMPARISONS) or (self._token.kind == "name" and self._token.text == "in"):
            self._deeper()
            sign = self._token
            self._at += 1
            found = self._within(found) if sign.text == "in" else self._compared(found, sign)
        self._depth = outside
        return found

    def _compared(self, first: Typed, sign: Token) -> Typed:
        second = self._sum()
        takes = _COMPARED if sign.text in ("==", "!=") else ORDERED
        if first.type is not second.type:
            message = f'"{sign.text}" compares {first.type} with {second.type}'
            raise Unreadable(sign.column, message, _way(first.type, second.type))
        if first.type not in takes:
            raise Unreadable(sign.column, f'"{sign.text}" does not take {first.type}')
        return Apply(sign.text, _BOOL, first.type, (first, second))

    def _within(self, item: Typed) -> Typed:
        """`x in [a, b]`, or a key in a map."""
        column = self._token.column
        if not self._is("["):
            target = self._sum()
            self._want(target, _MAP, column, 'what stands behind "in"')
            self._want(item, _STRING, column, "a key")
            return Apply("has[]", _BOOL, None, (target, item))
        self._at += 1
        same: list[Typed] = []
        while not self._is("]"):
            place = self._token.column
            one = self._choice()
            if one.type is not item.type or one.type not in _COMPARED:
                raise Unreadable(place, f"it is {one.type} and is looked for among {item.type}")
            same.append(Apply("==", _BOOL, one.type, (item, one)))
            if len(same) > MOST_ITEMS:
                raise Unreadable(place, f"the list has more than {MOST_ITEMS} items", "use a list checker")
            if not self._is("]"):
                self._expect(",", "separate items by commas and close the bracket")
        self._at += 1
        if not same:
            raise Unreadable(column, "nothing is in an empty list")
        return same[0] if len(same) == 1 else Apply("any", _BOOL, None, tuple(same))

    def _sum(self) -> Typed:
        column = self._token.column
        operands = [self._unary()]
        while self._is("+", "-", "*", "/", "%"):
            sign = self._token
            if sign.text != "+":
                raise Unreadable(
                    sign.column, f'there is no "{sign.text}" here', "only texts are joined, by +"
                )
            self._at += 1
            operands.append(self._unary())
        if len(operands) == 1:
            return operands[0]
        for each in operands:
            if each.type is not operands[0].type or each.type not in ADDED - {ValueType.INT64}:
                raise Unreadable(column, f'"+" does not join {each.type} to {operands[0].type}')
        return Apply("+", operands[0].type, operands[0].type, tuple(operands))

    def _unary(self) -> Typed:
        column = self._token.column
        if self._took("!"):
            self._deeper()
            found = self._unary()
            self._depth -= 1
            self._want(found, _BOOL, column, 'what stands behind "!"')
            return Apply("!", _BOOL, None, (found,))
        if self._took("-"):
            if self._token.kind not in ("int", "float"):
                raise self._unexpected("a number", "only numbers have a sign")
            return self._number(self._took_token(), "-")
        return self._member()

    # -- what binds the most --

    def _member(self) -> Typed:
        found, outside = self._primary(), self._depth
        while self._is(".", "["):
            self._deeper()
            column = self._token.column
            if self._took("["):
                key = self._choice()
                self._expect("]", 'an index is one value, like map["key"]')
                self._want(found, _MAP, column, "what is indexed")
                self._want(key, _STRING, column, "the index")
                found = Apply("get[]", _STRING, None, (found, key))
                continue
            self._at += 1
            name = self._name("a name behind the dot")
            found = self._method(found, name) if self._is("(") else self._selected(found, name)
        self._depth = outside
        return found

    def _selected(self, target: Typed, name: Token) -> Typed:
        if target.type is not _MAP:
            raise Unreadable(name.column, f"{target.type} has no parts", "only maps have")
        return Apply("get[]", _STRING, None, (target, Constant(name.text, _STRING)))

    def _method(self, target: Typed, name: Token) -> Typed:
        if name.text not in (*_METHODS, *_COUNTING):
            raise self._no_function(name, (*_METHODS, *_COUNTING), "x.{}(...)")
        arguments = self._arguments()
        column = name.column
        if name.text in _COUNTING:
            self._count(name, arguments, 0)
            self._want(target, _STRING, column, f"what {name.text} is called on")
            if name.text == "size":
                return Apply("length", ValueType.INT64, None, (target,))
            return Apply("lowerAscii", _STRING, None, (target,))
        self._count(name, arguments, 1)
        for each in (target, arguments[0]):
            self._want(each, _STRING, column, f"what {name.text} takes")
        parts = (arguments[0], target) if name.text == "matches" else (target, arguments[0])
        return Apply(name.text, _BOOL, None, parts)

    def _primary(self) -> Typed:
        token = self._token
        match token.kind:
            case "int" | "float":
                return self._number(self._took_token(), "")
            case "text":
                self._at += 1
                return Constant(token.text, _STRING)
            case "name" if token.text in ("true", "false"):
                self._at += 1
                return Constant(token.text == "true", _BOOL)
            case "name":
                return self._named()
            case "operator" if token.text == "(":
                self._at += 1
                found = self._choice()
                self._expect(")", "close the parenthesis")
                return found
            case "operator" if token.text in ("[", "{"):
                hint = 'a list stands behind "in"'
                raise Unreadable(token.column, "lists and maps are no values here", hint)
            case _:
                hint = "finish it" if token.kind == "end" else "put texts between quotes"
                raise self._unexpected("an attribute or a value", hint)

    def _named(self) -> Typed:
        """A function's call, or the longest dotted name that is an attribute's."""
        first = self._took_token()
        if first.text in RESERVED:
            raise Unreadable(first.column, f'"{first.text}" cannot be a name', "CEL keeps this word")
        if self._is("("):
            return self._called(first)
        parts, places = [first.text], [self._at]
        while self._is(".") and self._tokens[self._at + 1].kind == "name":
            following = self._tokens[self._at + 2]
            if following.kind == "operator" and following.text == "(":
                break
            parts.append(self._tokens[self._at + 1].text)
            self._at += 2
            places.append(self._at)
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            found = self._vocabulary.type_of(name)
            if found is not None:
                self._at = places[length - 1]
                return Read(name, found)
        name = ".".join(parts)
        near = get_close_matches(name[:80], list(self._vocabulary.types), n=1, cutoff=0.75)
        hint = (
            f'did you mean "{near[0]}"?' if near else "quote it if it is a text, or declare it in a manifest"
        )
        error = Unreadable(first.column, f'there is no attribute "{name[:80]}"', hint)
        error.fault = UnknownAttribute(first.column, str(error), hint)
        raise error

    def _called(self, name: Token) -> Typed:
        column = name.column
        if name.text not in _CALLS:
            raise self._no_function(name, _CALLS, "{}(...)")
        arguments = self._arguments()
        self._count(name, arguments, 1)
        (argument,) = arguments
        if name.text == "has":
            return self._presence(argument, column)
        self._want(argument, _STRING, column, f"what {name.text} takes")
        if name.text == "size":
            return Apply("length", ValueType.INT64, None, (argument,))
        if name.text == "ip":
            return Apply("ip", ValueType.IP_ADDRESS, None, (argument,))
        return self._constant(name, argument)

    def _constant(self, name: Token, argument: Typed) -> Typed:
        """Durations and times stand in the text: attributes have theirs already."""
        if not isinstance(argument, Constant) or not isinstance(argument.value, str):
            raise Unreadable(name.column, f"{name.text} takes a quoted text alone")
        if name.text == "duration":
            span = parse_span(argument.value)
            if span is None:
                raise Unreadable(
                    name.column, f'"{argument.value[:80]}" is no duration', 'write one like "1m30s"'
                )
            return Constant(span, ValueType.DURATION)
        point = parse_timestamp(argument.value)
        if point is None:
            raise Unreadable(name.column, f'"{argument.value[:80]}" is no time in RFC 3339')
        return Constant(point, ValueType.TIMESTAMP)

    def _presence(self, argument: Typed, column: int) -> Typed:
        match argument:
            case Read():
                return Apply("has", _BOOL, None, (argument,))
            case Apply("get[]"):
                return Apply("has[]", _BOOL, None, argument.arguments)
            case _:
                raise Unreadable(column, "has() takes an attribute, or a key of one that is a map")

    # -- little things --

    def _name(self, wanted: str) -> Token:
        if self._token.kind != "name":
            raise self._unexpected(wanted, 'other keys are written between brackets, like map["x-user"]')
        return self._took_token()

    def _arguments(self) -> tuple[Typed, ...]:
        self._expect("(")
        found: list[Typed] = []
        while not self._is(")"):
            found.append(self._choice())
            if not self._is(")"):
                self._expect(",", "separate arguments by commas and close the parenthesis")
        self._at += 1
        return tuple(found)

    @staticmethod
    def _count(name: Token, arguments: tuple[Typed, ...], wanted: int) -> None:
        if len(arguments) != wanted:
            takes = "1 argument" if wanted else "no arguments"
            raise Unreadable(name.column, f"{name.text} takes {takes}, not {len(arguments)}")

    @staticmethod
    def _no_function(name: Token, known: tuple[str, ...], way: str) -> Unreadable:
        near = get_close_matches(name.text[:80], known, n=1, cutoff=0.6)
        hint = (
            f'did you mean "{near[0]}"?' if near else "there are " + ", ".join(map(way.format, sorted(known)))
        )
        return Unreadable(name.column, f'there is no function "{name.text[:80]}"', hint)

    @staticmethod
    def _want(found: Typed, wanted: ValueType, column: int, what: str) -> None:
        if found.type is not wanted:
            raise Unreadable(column, f"{what} is {found.type} and must be {wanted}")

    @staticmethod
    def _number(token: Token, sign: str) -> Constant:
        if token.kind == "float":
            number = float(sign + token.text)
            if number in (float("inf"), float("-inf")):
                raise Unreadable(
                    token.column, f"{token.text} is too large for a DOUBLE", "write a smaller one"
                )
            return Constant(number, ValueType.DOUBLE)
        whole = int(sign + token.text, 16 if token.text.startswith("0x") else 10)
        if not INT64_MIN <= whole <= INT64_MAX:
            hint = f"the largest is {INT64_MAX}"
            raise Unreadable(token.column, f"{token.text} is too large for an INT64", hint)
        return Constant(whole, ValueType.INT64)


def _way(first: ValueType, second: ValueType) -> str:
    """What helps, if there is something to be said."""
    ways = {
        ValueType.IP_ADDRESS: 'ip("...")',
        ValueType.TIMESTAMP: 'timestamp("...")',
        ValueType.DURATION: 'duration("...")',
    }
    wanted = next((ways[each] for each in (first, second) if each in ways), "")
    return f"write {wanted}" if wanted and _STRING in (first, second) else ""
