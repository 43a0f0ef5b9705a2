"""An expression as CEL that Envoy evaluates to the same value, or the reason why there is none.

The form fails where Mixer's evaluation fails, nowhere else: as a condition a failure is "no", as in a rule's match.
CEL's own `&&` and `||` forgive a failure on one side when the other side decides, Mixer asks from the left; so they
become choices (`a ? b : false`) where an operand may fail. Callers decide where a rule runs, or explain it.
"""

from collections.abc import Callable

import msgspec
import re2  # type: ignore[import-untyped]
from immutables import Map

from proa.core.attributes.value_types import StringMap, ValueType
from proa.core.expression.cel import (
    EMPTY_TEXT,
    FAILURE,
    FALSE,
    TRUE,
    Cel,
    Literal,
    Method,
    Operation,
    choice,
    extent_of,
    infix,
)
from proa.core.expression.envoy_attributes import (
    IN_ENVOY,
    EnvoyAttribute,
    missing_reason,
)
from proa.core.expression.envoy_pieces import (
    EnvoyText,
    NoForm,
    Obstacle,
    affix,
    constant,
    has_entry,
    is_string,
    joined,
    looked_up,
    same_text,
    whole,
)
from proa.core.expression.folding import Facts, fold
from proa.core.expression.semantics import EvaluationError, searcher
from proa.core.expression.typed import Apply, Checked, Constant, Read, Typed

# Envoy's own bounds are 100 levels of a message and 100,000 characters; choices double what is long.
_DEEPEST = 90
_LONGEST = 32 * 1024
# What is compared is written once for each of them.
_MOST_CHOICES = 20
# Envoy refuses larger programs (core/config/regex.py).
_LARGEST_REGEX = 100


class EnvoyForm(msgspec.Struct, frozen=True):
    """`may_fail`: there are requests for which it has no value. `at_end`: for reports alone."""

    cel: Cel
    type: ValueType
    may_fail: bool
    at_end: bool


def envoy_form(checked: Checked, facts: Facts | None = None) -> EnvoyForm | NoForm:
    """`facts` are attributes known before: values, or None for what will not be there."""
    known = facts or {}
    making = Making(known)
    root = fold(checked.root, known)
    try:
        cel = bounded(making.plain(root))
    except Obstacle as obstacle:
        return obstacle.form
    return EnvoyForm(cel, root.type, not making.is_total(root), making.at_end)


def bounded(cel: Cel) -> Cel:
    """Raises Obstacle for what Envoy would not read."""
    extent = extent_of(cel, _DEEPEST)
    if extent is None or extent.characters > _LONGEST:
        raise Obstacle("its form in CEL is too large for Envoy", "split it into several rules")
    return cel


class Making:
    """`at_end` becomes true when an attribute of the end is met."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.at_end = False

    def _attribute(self, node: Read) -> EnvoyAttribute | None:
        """None: known to be absent."""
        if node.name in self._facts:
            return None
        found = IN_ENVOY.get(node.name)
        if found is None:
            raise Obstacle(f"{node.name}: {missing_reason(node.name)}")
        self.at_end |= found.at_end
        return found

    def is_total(self, node: Typed) -> bool:
        """Whether it has a value for every request, read plainly."""
        match node:
            case Constant():
                return True
            case Read():
                return self._always_yields(node)
            case Apply("|"):
                *tried, last = node.arguments
                for each in tried:
                    if not self._never_aborts(each):
                        return False
                    if self._always_yields(each):
                        return True
                return self.is_total(last)
            case Apply("matches"):
                return self.is_total(node.arguments[1])
            case Apply("ip" | "timestamp" | "dnsName" | "email" | "uri" | "get[]"):
                return False
            case Apply("has"):
                return True
            case Apply():
                return all(self.is_total(each) for each in node.arguments)

    def _never_aborts(self, node: Typed) -> bool:
        """On the left of `|`: it may be absent, and does not fail."""
        match node:
            case Read():
                return True
            case Apply("|" | "[]"):
                return all(self._never_aborts(each) for each in node.arguments)
            case _:
                return self.is_total(node)

    def _always_yields(self, node: Typed) -> bool:
        match node:
            case Read():
                found = self._attribute(node)
                return found is not None and found.present is None
            case Apply("|"):
                return any(self._always_yields(each) for each in node.arguments)
            case Apply("[]"):
                return False
            case _:
                return self.is_total(node)

    def plain(self, node: Typed) -> Cel:
        """Fails where Mixer does."""
        match node:
            case Read():
                return self._of_text(node, whole) if is_string(node.type) else self._read(node, FAILURE)
            case Constant():
                return constant(node.value)
            case Apply("|"):
                *tried, last = node.arguments
                found = self.plain(last)
                for each in reversed(tried):
                    found = self._tried(each, found)
                return found
            case Apply("[]" | "get[]"):
                return self._indexed(node, is_tried=False, otherwise=FAILURE)
            case Apply("has", arguments=(Read() as read,)):
                known = self._attribute(read)
                return FALSE if known is None else known.present or TRUE
            case Apply("has[]"):
                return self._has_key(node)
            case Apply():
                return self._applied(node)

    def _tried(self, node: Typed, otherwise: Cel) -> Cel:
        """`otherwise` where the node is absent."""
        match node:
            case Read():
                return self._read(node, otherwise)
            case Apply("|"):
                found = otherwise
                for each in reversed(node.arguments):
                    found = self._tried(each, found)
                return found
            case Apply("[]"):
                return self._indexed(node, is_tried=True, otherwise=otherwise)
            case _:
                return self.plain(node)

    def _read(self, node: Read, otherwise: Cel) -> Cel:
        found = self._attribute(node)
        if found is None:
            return otherwise
        if node.type is ValueType.STRING_MAP:
            raise Obstacle(f"{node.name} is a map", "ask for a key of it")
        if found.prefix:
            return whole(EnvoyText(found.value, found.prefix))
        return found.value if found.present is None else choice(found.present, found.value, otherwise)

    def _indexed(self, node: Apply, is_tried: bool, otherwise: Cel) -> Cel:
        target, key = node.arguments
        if not isinstance(key, Constant) or not isinstance(key.value, str):
            raise Obstacle("the key of a map is not constant", "write it between quotes")
        name = key.value
        missing = otherwise if is_tried else FAILURE if node.function == "get[]" else EMPTY_TEXT
        return self._with_map(target, lambda found: looked_up(found, name, missing), is_tried, otherwise)

    def _has_key(self, node: Apply) -> Cel:
        target, key = node.arguments
        if not isinstance(key, Constant) or not isinstance(key.value, str):
            raise Obstacle("the key of a map is not constant", "write it between quotes")
        name = key.value
        return self._with_map(target, lambda found: has_entry(found, name), False, FAILURE)

    def _with_map(
        self, node: Typed, then: Callable[[EnvoyAttribute | StringMap], Cel], is_tried: bool, otherwise: Cel
    ) -> Cel:
        """`then` is made once for each map that may be meant; `otherwise` stands where none is there."""
        match node:
            case Read():
                found = self._attribute(node)
                if found is None:
                    return otherwise
                use = then(found)
                return use if found.present is None else choice(found.present, use, otherwise)
            case Constant() if isinstance(node.value, (dict, Map)):
                return then(node.value)
            case Apply("|"):
                *tried, last = node.arguments
                rest = self._with_map(last, then, is_tried, otherwise)
                for each in reversed(tried):
                    rest = self._with_map(each, then, True, rest)
                return rest
            case Apply("conditional"):
                condition, first, second = node.arguments
                uses = [self._with_map(each, then, False, FAILURE) for each in (first, second)]
                return choice(self.plain(condition), uses[0], uses[1])
            case _:
                return then({})

    def _applied(self, node: Apply) -> Cel:
        match node.function:
            case "==" | "!=":
                return self._equal(node)
            case "<" | "<=" | ">" | ">=":
                first, second = map(self.plain, node.arguments)
                return infix(first, node.function, second)
            case "&&" | "||":
                return self._logic(node.function, node.arguments)
            case "all" | "any":
                return joined("&&" if node.function == "all" else "||", list(map(self.plain, node.arguments)))
            case "!":
                return Operation("!_", (self.plain(node.arguments[0]),))
            case "contains":
                text, part = map(self.plain, node.arguments)
                return Method("contains", text, (part,))
            case "length":
                return Operation("size", (self.plain(node.arguments[0]),))
            case "conditional":
                condition, first, second = map(self.plain, node.arguments)
                return choice(condition, first, second)
            case "conditionalString":
                return self._eager(node)
            case "match" | "startsWith" | "endsWith":
                return self._matching(node)
            case "matches":
                return self._regex(node)
            case "size":
                return Operation("size", (Operation("bytes", (self.plain(node.arguments[0]),)),))
            case "+" if node.over is ValueType.DOUBLE:
                first, *others = map(self.plain, node.arguments)
                for other in others:
                    first = infix(first, "+", other)
                return first
            case "+":
                what = "sums of integers fail in Envoy where Mixer's wrap around"
                raise Obstacle(what if node.over is ValueType.INT64 else "Envoy's CEL joins no texts")
            case "emptyStringMap":
                raise Obstacle("the value is a map", "ask for a key of it")
            case _:
                raise Obstacle(f"{node.function}() of what a request has is not in Envoy's CEL")

    def _logic(self, operator: str, operands: tuple[Typed, ...]) -> Cel:
        """Halved, so that long ones stay flat."""
        if len(operands) == 1:
            return self.plain(operands[0])
        middle = len(operands) // 2
        left, right = operands[:middle], operands[middle:]
        first, second = self._logic(operator, left), self._logic(operator, right)
        if all(map(self.is_total, operands)):
            return infix(first, operator, second)
        return choice(first, second, FALSE) if operator == "&&" else choice(first, TRUE, second)

    def _eager(self, node: Apply) -> Cel:
        """A text that is not chosen may fail all the same."""
        condition, first, second = map(self.plain, node.arguments)
        chosen = choice(condition, first, second)
        if all(map(self.is_total, node.arguments)):
            return chosen
        both = choice(infix(first, "==", second), TRUE, TRUE)
        return choice(choice(condition, both, both), chosen, EMPTY_TEXT)

    def _equal(self, node: Apply) -> Cel:
        if node.over in (ValueType.IP_ADDRESS, ValueType.DNS_NAME, ValueType.EMAIL_ADDRESS, ValueType.URI):
            raise Obstacle(f"Envoy's CEL does not compare {node.over} as Mixer does")
        first, second = node.arguments
        if node.over is not ValueType.STRING:
            return infix(self.plain(first), node.function, self.plain(second))
        return self._of_text(
            first, lambda one: self._of_text(second, lambda other: same_text(one, other, node.function))
        )

    def _matching(self, node: Apply) -> Cel:
        text, pattern = node.arguments
        function = node.function
        if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            if function == "match":
                raise Obstacle("the pattern of match() is not constant", "write it between quotes")
            return Method(function, self.plain(text), (self.plain(pattern),))
        wanted = pattern.value
        if function == "match":
            function = (
                "startsWith" if wanted.endswith("*") else "endsWith" if wanted.startswith("*") else "=="
            )
            wanted = (
                wanted[:-1] if function == "startsWith" else wanted[1:] if function == "endsWith" else wanted
            )
        if function == "==":
            return self._of_text(text, lambda found: same_text(found, EnvoyText(Literal(wanted)), "=="))
        return self._of_text(text, lambda found: affix(found, function, wanted))

    def _regex(self, node: Apply) -> Cel:
        pattern, text = node.arguments
        if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            raise Obstacle("the pattern of matches() is not constant", "write it between quotes")
        try:
            searcher(pattern.value)
        except EvaluationError as error:
            raise Obstacle(str(error)) from None
        if re2.compile(pattern.value).programsize > _LARGEST_REGEX:
            raise Obstacle("the regex is too large for Envoy", "simplify or split it")
        return Method("matches", self.plain(text), (Literal(pattern.value),))

    def _of_text(self, node: Typed, then: Callable[[EnvoyText], Cel]) -> Cel:
        """`then` is told of a prefix, where the text can be had with it alone."""
        choices = node.arguments if isinstance(node, Apply) and node.function == "|" else (node,)
        last = choices[-1]
        reads = [each for each in choices if isinstance(each, Read)]
        others = [each for each in choices if not isinstance(each, Read)]
        if not any(self._prefix_of(each) for each in reads) or others not in ([], [last]):
            return then(EnvoyText(self._read(node, FAILURE) if isinstance(node, Read) else self.plain(node)))
        if len(choices) > _MOST_CHOICES:
            raise Obstacle("there are too many texts to choose from", f"name {_MOST_CHOICES} at most")
        rest = then(EnvoyText(self.plain(last))) if others else FAILURE
        for each in reversed(reads):
            if (found := self._attribute(each)) is not None:
                use = then(EnvoyText(found.value, found.prefix))
                rest = use if found.present is None else choice(found.present, use, rest)
        return rest

    def _prefix_of(self, node: Read) -> str:
        found = self._attribute(node)
        return found.prefix if found is not None else ""
