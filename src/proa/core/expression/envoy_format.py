"""An expression as a format string of Envoy: for access logs, headers and tags of metrics.

What Envoy writes is Mixer's value as text. Where Mixer has no value Envoy writes nothing, or `-`; `envoy_form` says in
`may_fail` whether that can be. Texts may be joined here, which CEL in Envoy cannot.
"""

from proa.core.attributes.value_texts import written_value
from proa.core.attributes.value_types import ValueType
from proa.core.expression.cel import cel_text
from proa.core.expression.envoy_form import Making, bounded
from proa.core.expression.envoy_pieces import NoForm, Obstacle
from proa.core.expression.folding import Facts, fold
from proa.core.expression.typed import Apply, Checked, Constant, Typed

_WRITTEN_ALIKE = (ValueType.STRING, ValueType.BOOL, ValueType.INT64)


def format_string(checked: Checked, facts: Facts | None = None) -> str | NoForm:
    """`facts` are those of `envoy_form`."""
    known = facts or {}
    making = Making(known)
    root = fold(checked.root, known)
    try:
        return "".join(_piece(making, each) for each in _joined(making, root))
    except Obstacle as obstacle:
        return obstacle.form


def _joined(making: Making, root: Typed) -> tuple[Typed, ...]:
    if not isinstance(root, Apply) or root.function != "+" or root.type is not ValueType.STRING:
        return (root,)
    if not all(map(making.is_total, root.arguments)):
        raise Obstacle(
            "one of the texts may be missing, and Envoy would write the others", 'add | "..." to it'
        )
    return root.arguments


def _piece(making: Making, node: Typed) -> str:
    if node.type not in _WRITTEN_ALIKE:
        raise Obstacle(f"Envoy writes a {node.type} in its own way")
    if isinstance(node, Constant):
        text = str(written_value(node.value))
        return (text.lower() if node.type is ValueType.BOOL else text).replace("%", "%%")
    return f"%CEL({cel_text(bounded(making.plain(node)))})%"
