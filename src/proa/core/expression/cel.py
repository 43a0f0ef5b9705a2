"""CEL as a tree, and the two forms in which Envoy takes it: text (formatters, access logs), and a message (matchers).

Knows nothing of Mixer. Text is safe within `%CEL(...)%`: it has no percent sign.
"""

from typing import TypeAlias

import msgspec
from cel.expr.syntax_pb2 import Constant as WireConstant
from cel.expr.syntax_pb2 import Expr, ParsedExpr

from proa.core.expression.quotes import quoted


class Literal(msgspec.Struct, frozen=True):
    value: str | int | float | bool


class Path(msgspec.Struct, frozen=True):
    """`request.path`; as `has(request.path)` when it only asks whether it is there."""

    names: tuple[str, ...]
    is_test: bool = False


class EmptyMap(msgspec.Struct, frozen=True):
    pass


class Texts(msgspec.Struct, frozen=True):
    """A list of constant texts."""

    values: tuple[str, ...]


class Operation(msgspec.Struct, frozen=True):
    """`function` in CEL's own names: `_==_`, `_?_:_`, `_[_]`, `@in`, or a global function's."""

    function: str
    arguments: tuple["Cel", ...]


class Method(msgspec.Struct, frozen=True):
    function: str
    target: "Cel"
    arguments: tuple["Cel", ...]


Cel: TypeAlias = Literal | Path | EmptyMap | Texts | Operation | Method

_INFIX = {f"_{sign}_": sign for sign in ("==", "!=", "<", "<=", ">", ">=", "&&", "||", "+")} | {"@in": "in"}
TRUE, FALSE, EMPTY_TEXT = Literal(True), Literal(False), Literal("")
# Has no value: where Mixer's evaluation ends with an error, so does CEL's.
FAILURE = Operation("_[_]", (EmptyMap(), Literal("absent")))


def choice(condition: Cel, then: Cel, otherwise: Cel) -> Cel:
    """Fails when the condition fails, unlike CEL's `&&` and `||`."""
    return Operation("_?_:_", (condition, then, otherwise))


def infix(first: Cel, sign: str, second: Cel) -> Cel:
    return Operation("@in" if sign == "in" else f"_{sign}_", (first, second))


def path(text: str) -> Path:
    return Path(tuple(text.split(".")))


def has(text: str) -> Path:
    return Path(tuple(text.split(".")), is_test=True)


def cel_text(node: Cel) -> str:
    match node:
        case Literal():
            return _literal_text(node.value)
        case Path():
            name = ".".join(node.names)
            return f"has({name})" if node.is_test else name
        case EmptyMap():
            return "{}"
        case Texts():
            return f"[{', '.join(map(_literal_text, node.values))}]"
        case Method():
            arguments = ", ".join(map(cel_text, node.arguments))
            return f"{cel_text(node.target)}.{node.function}({arguments})"
        case Operation("_?_:_", (condition, then, otherwise)):
            return f"({cel_text(condition)} ? {cel_text(then)} : {cel_text(otherwise)})"
        case Operation("!_", (operand,)):
            return f"!{cel_text(operand)}"
        case Operation("_[_]", (target, key)):
            return f"{cel_text(target)}[{cel_text(key)}]"
        case Operation(function, (first, second)) if function in _INFIX:
            return f"({cel_text(first)} {_INFIX[function]} {cel_text(second)})"
        case Operation():
            return f"{node.function}({', '.join(map(cel_text, node.arguments))})"


def _literal_text(value: str | int | float | bool) -> str:
    if isinstance(value, str):
        return quoted(value).replace("%", "\\x25")
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"({text})" if text.startswith("-") else text


def parsed(node: Cel) -> ParsedExpr:
    """Every node has an id, as CEL asks."""
    message = ParsedExpr()
    _fill(message.expr, node, 1)
    return message


def _fill(expr: Expr, node: Cel, number: int) -> int:
    """Ids from `number` on; gives the next free one."""
    expr.id = number
    number += 1
    match node:
        case Literal():
            _fill_literal(expr.const_expr, node.value)
        case Path():
            return _fill_path(expr, node, number)
        case EmptyMap():
            expr.struct_expr.SetInParent()
        case Texts():
            expr.list_expr.SetInParent()
            for value in node.values:
                number = _fill(expr.list_expr.elements.add(), Literal(value), number)
        case Method():
            expr.call_expr.function = node.function
            number = _fill(expr.call_expr.target, node.target, number)
            for argument in node.arguments:
                number = _fill(expr.call_expr.args.add(), argument, number)
        case Operation():
            expr.call_expr.function = node.function
            for argument in node.arguments:
                number = _fill(expr.call_expr.args.add(), argument, number)
    return number


def _fill_path(expr: Expr, node: Path, number: int) -> int:
    *before, last = node.names
    if not before:
        expr.ident_expr.name = last
        return number
    expr.select_expr.field = last
    expr.select_expr.test_only = node.is_test
    return _fill(expr.select_expr.operand, Path(tuple(before)), number)


def _fill_literal(constant: WireConstant, value: str | int | float | bool) -> None:
    if isinstance(value, bool):
        constant.bool_value = value
    elif isinstance(value, int):
        constant.int64_value = value
    elif isinstance(value, float):
        constant.double_value = value
    else:
        constant.string_value = value


class Extent(msgspec.Struct, frozen=True):
    """`characters`: about as many as the text has. `levels`: at most as many as the message nests."""

    characters: int
    levels: int


def extent_of(node: Cel, most_levels: int) -> Extent | None:
    """None: it nests deeper than that. Cheap even where parts are shared so often that writing them out would take for
    ever."""
    try:
        return _extent(node, {}, most_levels)
    except _TooDeep:
        return None


class _TooDeep(Exception):
    pass


def _extent(node: Cel, known: dict[int, Extent], room: int) -> Extent:
    """`known` by identity: the tree outlives the call."""
    if id(node) not in known:
        known[id(node)] = _measured(node, known, room)
    found = known[id(node)]
    if found.levels > room:
        raise _TooDeep
    return found


def _measured(node: Cel, known: dict[int, Extent], room: int) -> Extent:
    match node:
        case Texts():
            return Extent(len(cel_text(node)), 4)
        case Literal() | Path() | EmptyMap():
            return Extent(len(cel_text(node)), 2 * len(node.names) if isinstance(node, Path) else 2)
        case Operation():
            parts, own = node.arguments, len(node.function) + 4
        case Method():
            parts, own = (node.target, *node.arguments), len(node.function) + 3
    if room < 0:
        raise _TooDeep
    found = [_extent(part, known, room - 2) for part in parts]
    characters = own + sum(each.characters + 2 for each in found)
    return Extent(characters, 2 + max((each.levels for each in found), default=0))
