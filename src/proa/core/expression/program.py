"""Compiles a checked expression into one Python code object: a lambda over the bag, made as a tree, never as text.

An expression is read in one of two modes. Plainly, an absent attribute or another type than declared is an
EvaluationError. On the left of `|` it is tried: an absent attribute or map key is None, and `|` goes on to its right.
Only reads, indexes and `|` itself pass None on; a function's arguments are read plainly again, wherever it stands.
"""

import ast
from collections.abc import Callable

import msgspec
from immutables import Map

from proa.core.attributes.addresses import same_address
from proa.core.attributes.value_types import Bag, Span, StringMap, Timestamp, Value, ValueType
from proa.core.attributes.vocabulary import Vocabulary
from proa.core.expression import semantics
from proa.core.expression.cel_reader import read_cel
from proa.core.expression.checker import check
from proa.core.expression.parser import parse
from proa.core.expression.semantics import EvaluationError
from proa.core.expression.syntax import Fault
from proa.core.expression.tracing import Evaluation, TracedMap, traced
from proa.core.expression.typed import Apply, Checked, Constant, Language, Read, Typed, reads_of


class Program(msgspec.Struct, frozen=True):
    """`evaluate(bag)` gives the value or raises EvaluationError; it is the fast way, for a dict of attributes.
    `attributes` are all that it may read, sorted."""

    checked: Checked
    evaluate: Callable[[Bag], Value]
    attributes: tuple[str, ...]

    @property
    def type(self) -> ValueType:
        return self.checked.type

    def trace(self, bag: Bag) -> Evaluation:
        """Value or error, and all that they depend on."""
        return traced(self.evaluate, bag)


def compile_expression(
    text: str,
    vocabulary: Vocabulary,
    expected: ValueType | None = None,
    outputs: bool = False,
    language: Language = "MIXER",
) -> Program | tuple[Fault, ...]:
    """From text in one go. The arguments are those of `check` and `parse`; `outputs` are of Mixer's language alone."""
    if language == "CEL":
        read = read_cel(text, vocabulary, expected)
        return compile_checked(read) if isinstance(read, Checked) else read
    expression = parse(text, outputs)
    if isinstance(expression, Fault):
        return (expression,)
    checked = check(expression, vocabulary, expected)
    return compile_checked(checked) if isinstance(checked, Checked) else checked


def compile_checked(checked: Checked) -> Program:
    attributes = sorted({read.name for read in reads_of(checked.root)})
    return Program(checked, compile_typed(checked.root), tuple(attributes))


def compile_typed(root: Typed) -> Callable[[Bag], Value]:
    writing = _Writing()
    body = writing.plain(root)
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg("bag")], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    evaluate: Callable[[Bag], Value] = eval(compile(tree, "<expression>", "eval"), writing.names)
    return evaluate


_CLASSES: dict[ValueType, type] = {
    ValueType.INT64: int,
    ValueType.DOUBLE: float,
    ValueType.BOOL: bool,
    ValueType.TIMESTAMP: Timestamp,
    ValueType.DURATION: Span,
    ValueType.IP_ADDRESS: bytes,
}
_MAPS = (dict, Map, TracedMap)
# Of one text to one value.
_CONVERSIONS: dict[str, Callable[[str], Value]] = {
    "ip": semantics.ip,
    "timestamp": semantics.timestamp,
    "dnsName": semantics.dns_name,
    "email": semantics.email,
    "uri": semantics.uri,
    "lowerAscii": semantics.lower_ascii,
    "length": len,
    "toLower": semantics.to_lower,
    "size": semantics.size,
}
_EMPTY: StringMap = Map()
_NONE = ast.Constant(None)
_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}


class _Writing:
    """Makes the tree. `names` are what the code knows besides the bag: functions, and values that no literal has."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"__builtins__": {}}
        self._temporaries = 0
        self._names_by_identity: dict[int, str] = {}

    def _known(self, thing: object) -> ast.expr:
        """`names` keeps it alive, so that its identity stays its own."""
        name = self._names_by_identity.setdefault(id(thing), f"k{len(self.names)}")
        self.names[name] = thing
        return _load(name)

    def _call(self, function: Callable[..., object], *arguments: ast.expr) -> ast.Call:
        return ast.Call(self._known(function), list(arguments), [])

    def _kept(self, value: ast.expr) -> tuple[ast.expr, ast.expr]:
        """The value on its first use, and on a later one."""
        name = f"t{self._temporaries}"
        self._temporaries += 1
        return ast.NamedExpr(ast.Name(name, ast.Store()), value), _load(name)

    def plain(self, node: Typed) -> ast.expr:
        match node:
            case Read():
                first, again = self._kept(_method(_load("bag"), "get", ast.Constant(node.name)))
                return ast.IfExp(self._is_of(first, node.type), again, self._refusal(again, node))
            case Constant():
                return self._constant(node.value)
            case Apply("|"):
                return self._default(node.arguments, self.plain)
            case Apply("[]"):
                target, key = node.arguments
                return _method(self.plain(target), "get", self.plain(key), ast.Constant(""))
            case Apply():
                return self._applied(node)

    def tried(self, node: Typed) -> ast.expr:
        match node:
            case Read():
                first, again = self._kept(_method(_load("bag"), "get", ast.Constant(node.name)))
                absent = ast.Compare(first, [ast.Is()], [_NONE])
                fine = ast.BoolOp(ast.Or(), [absent, self._is_of(again, node.type)])
                return ast.IfExp(fine, again, self._refusal(again, node))
            case Apply("|"):
                return self._default(node.arguments, self.tried)
            case Apply("[]"):
                first, target = self._kept(self.tried(node.arguments[0]))
                second, key = self._kept(self.tried(node.arguments[1]))
                missing = ast.BoolOp(
                    ast.Or(), [ast.Compare(each, [ast.Is()], [_NONE]) for each in (first, second)]
                )
                return ast.IfExp(missing, _NONE, _method(target, "get", key))
            case _:
                return self.plain(node)

    def _default(self, choices: tuple[Typed, ...], last: Callable[[Typed], ast.expr]) -> ast.expr:
        """Halved, so that many choices are not nested as deep."""
        if len(choices) == 1:
            return last(choices[0])
        middle = len(choices) // 2
        first, again = self._kept(self._default(choices[:middle], self.tried))
        present = ast.Compare(first, [ast.IsNot()], [_NONE])
        return ast.IfExp(present, again, self._default(choices[middle:], last))

    def _is_of(self, value: ast.expr, value_type: ValueType) -> ast.expr:
        if value_type is ValueType.STRING_MAP:
            return self._call(isinstance, value, self._known(_MAPS))
        wanted = self._known(_CLASSES.get(value_type, str))
        return ast.Compare(ast.Attribute(value, "__class__", ast.Load()), [ast.Is()], [wanted])

    def _refusal(self, value: ast.expr, node: Read) -> ast.expr:
        return self._call(semantics.refuse, value, ast.Constant(node.name), ast.Constant(node.type.name))

    def _constant(self, value: Value) -> ast.expr:
        return (
            ast.Constant(value) if isinstance(value, (str, int, float, bool, bytes)) else self._known(value)
        )

    def _applied(self, node: Apply) -> ast.expr:
        name = node.function
        if name in _COMPARISONS:
            return self._comparison(node)
        if name in _CONVERSIONS:
            return self._conversion(_CONVERSIONS[name], node.arguments[0])
        if name == "+":
            return self._sum(node)
        if name in ("match", "matches"):
            return self._matching(node)
        if name in ("any", "all"):
            return self._forgiving(semantics.any_of if name == "any" else semantics.all_of, node.arguments)
        if name == "has":
            (read,) = node.arguments
            assert isinstance(read, Read)
            value = _method(_load("bag"), "get", ast.Constant(read.name))
            return ast.Compare(value, [ast.IsNot()], [_NONE])
        arguments = [self.plain(argument) for argument in node.arguments]
        match name:
            case "&&":
                return ast.BoolOp(ast.And(), arguments)
            case "||":
                return ast.BoolOp(ast.Or(), arguments)
            case "!":
                return ast.UnaryOp(ast.Not(), arguments[0])
            case "contains":
                return ast.Compare(arguments[1], [ast.In()], [arguments[0]])
            case "has[]":
                return ast.Compare(_method(arguments[0], "get", arguments[1]), [ast.IsNot()], [_NONE])
            case "get[]":
                return self._call(semantics.required, *arguments)
            case "conditional":
                return ast.IfExp(*arguments)
            case "conditionalString":
                return self._call(semantics.choose, *arguments)
            case "startsWith" | "endsWith":
                return _method(arguments[0], name.lower(), arguments[1])
            case "emptyStringMap":
                return self._known(_EMPTY)
            case _:
                raise AssertionError(f"a function without meaning: {name}")

    def _forgiving(self, function: Callable[..., bool], operands: tuple[Typed, ...]) -> ast.expr:
        """Each operand waits until it is asked for. What it keeps, it keeps for itself."""
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        return self._call(function, *(ast.Lambda(nothing, self.plain(each)) for each in operands))

    def _comparison(self, node: Apply) -> ast.expr:
        first, second = (self.plain(argument) for argument in node.arguments)
        if node.over is ValueType.IP_ADDRESS:
            found = self._call(same_address, first, second)
        elif node.over in semantics.SAME:
            found = self._call(semantics.SAME[node.over], first, second)
        else:
            return ast.Compare(first, [_COMPARISONS[node.function]()], [second])
        return found if node.function == "==" else ast.UnaryOp(ast.Not(), found)

    def _sum(self, node: Apply) -> ast.expr:
        arguments: list[ast.expr] = [self.plain(argument) for argument in node.arguments]
        together = ast.Tuple(arguments, ast.Load())
        if node.over is ValueType.INT64:
            return self._call(semantics.total_int, together)
        if node.over is ValueType.DOUBLE:
            return self._call(semantics.total_double, together)
        if len(arguments) == 2:
            return ast.BinOp(arguments[0], ast.Add(), arguments[1])
        return _method(ast.Constant(""), "join", together)

    def _conversion(self, function: Callable[[str], Value], argument: Typed) -> ast.expr:
        """Done once, here, when the argument is a constant; what fails then fails at every evaluation."""
        if not isinstance(argument, Constant) or not isinstance(argument.value, str):
            return self._call(function, self.plain(argument))
        try:
            return self._constant(function(argument.value))
        except EvaluationError as error:
            return self._call(semantics.refuse_value, ast.Constant(str(error)))

    def _matching(self, node: Apply) -> ast.expr:
        if node.function == "match":
            text, pattern = node.arguments
            if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
                return self._call(semantics.glob_match, self.plain(text), self.plain(pattern))
            return self._glob(self.plain(text), pattern.value)
        pattern, text = node.arguments
        if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            return self._call(semantics.matches, self.plain(pattern), self.plain(text))
        try:
            return self._call(semantics.searcher(pattern.value), self.plain(text))
        except EvaluationError as error:
            # The text is read first, so that it is recorded as every other argument is.
            return self._call(_refuse_after, self.plain(text), ast.Constant(str(error)))

    @staticmethod
    def _glob(text: ast.expr, pattern: str) -> ast.expr:
        if pattern.endswith("*"):
            return _method(text, "startswith", ast.Constant(pattern[:-1]))
        if pattern.startswith("*"):
            return _method(text, "endswith", ast.Constant(pattern[1:]))
        return ast.Compare(text, [ast.Eq()], [ast.Constant(pattern)])


def _refuse_after(_argument: Value, message: str) -> None:
    semantics.refuse_value(message)


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _method(target: ast.expr, name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(target, name, ast.Load()), list(arguments), [])
