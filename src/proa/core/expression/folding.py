"""What is left of an expression when some attributes are known: those that Pilot knows of a proxy or route.

The rest has the same value, or none, for every bag that agrees with the facts. On the left of `|` a failure is not an
absence, so what must not be absent there is not replaced by something that may be.
"""

from collections.abc import Mapping, Sequence

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Value, ValueType
from proa.core.expression.program import compile_typed
from proa.core.expression.semantics import EvaluationError
from proa.core.expression.typed import Apply, Constant, Read, Typed

# None: known to be absent.
Facts = Mapping[str, Value | None]


def fold(root: Typed, facts: Facts, is_tried: bool = False) -> Typed:
    """Reads of what is absent may stay; whoever has the facts knows them. `is_tried`: it stands on the left of `|`."""
    match root:
        case Read():
            value = facts.get(root.name)
            return root if value is None else Constant(value, root.type)
        case Constant():
            return root
        case Apply("|"):
            *tried, last = root.arguments
            left = [fold(each, facts, True) for each in tried]
            return _default(root, [*left, fold(last, facts, is_tried)], facts)
        case Apply("has", arguments=(Read(name=name),)):
            return Constant(facts[name] is not None, root.type) if name in facts else root
        case Apply("[]"):
            node = _with(root, [fold(each, facts, is_tried) for each in root.arguments])
            return node if is_tried and _is_absent(node, facts) else _computed(node)
        case Apply():
            node = _with(root, [fold(each, facts) for each in root.arguments])
            found = _simplified(node)
            may_be_absent = isinstance(found, Read) or (
                isinstance(found, Apply) and found.function in ("|", "[]")
            )
            return node if is_tried and may_be_absent else found


def _with(node: Apply, arguments: Sequence[Typed]) -> Apply:
    return msgspec.structs.replace(node, arguments=tuple(arguments))


def _simplified(node: Apply) -> Typed:
    match node.function:
        case "&&" | "||":
            return _logic(node)
        case "all" | "any":
            return _forgiving(node)
        case "conditional" if isinstance(node.arguments[0], Constant):
            return node.arguments[1] if node.arguments[0].value else node.arguments[2]
        case _:
            return _computed(node)


def _default(node: Apply, arguments: list[Typed], facts: Facts) -> Typed:
    """What is known to be absent falls away, and so does all behind the first that is known."""
    kept: list[Typed] = []
    for number, argument in enumerate(arguments, 1):
        if number < len(arguments) and _is_absent(argument, facts):
            continue
        kept.append(argument)
        if isinstance(argument, Constant):
            break
    return kept[0] if len(kept) == 1 else _with(node, kept)


def _is_absent(node: Typed, facts: Facts) -> bool:
    """Known to be so: an attribute of which that is a fact, or a key that a known map does not have, or an absent
    one."""
    match node:
        case Read():
            return node.name in facts
        case Apply("[]", arguments=(Constant(value=content), Constant(value=key))):
            return isinstance(content, Mapping) and key not in content
        case Apply("[]", arguments=(Read() as content, Constant())):
            return content.name in facts
        case _:
            return False


def _logic(node: Apply) -> Typed:
    """From the left: what stands before the constant that decides may fail, and is asked first."""
    decisive = node.function == "||"
    kept: list[Typed] = []
    for argument in node.arguments:
        if not isinstance(argument, Constant):
            kept.append(argument)
        elif argument.value is decisive:
            kept.append(argument)
            break
    if not kept:
        return Constant(not decisive, node.type)
    return kept[0] if len(kept) == 1 else _with(node, kept)


def _forgiving(node: Apply) -> Typed:
    """What decides, decides wherever it stands."""
    decisive = node.function == "any"
    constants = [each for each in node.arguments if isinstance(each, Constant)]
    if any(each.value is decisive for each in constants):
        return Constant(decisive, node.type)
    kept = [each for each in node.arguments if not isinstance(each, Constant)]
    if not kept:
        return Constant(not decisive, node.type)
    return kept[0] if len(kept) == 1 else _with(node, kept)


def _computed(node: Apply) -> Typed:
    """What fails is left, so that it fails when it is evaluated."""
    match node:
        # Most of what is folded; compiling it takes a thousand times as long.
        case Apply("==" | "!=", _, ValueType.STRING, (Constant(str() as first), Constant(str() as second))):
            return Constant((first == second) is (node.function == "=="), node.type)
        case Apply("[]", arguments=(Constant(dict() | Map() as content), Constant(str() as key))):
            return Constant(content.get(key, ""), node.type)
        case _:
            pass
    if not node.arguments or not all(isinstance(argument, Constant) for argument in node.arguments):
        return node
    try:
        return Constant(compile_typed(node)({}), node.type)
    except EvaluationError:
        return node
