"""What becomes of each field of Istio's API, read off the kinds table. `proa compat` and the page of the docs ask."""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from proa.core.config.compat.api import GATEWAY_API, GATEWAY_KINDS, KINDS, MESSAGES, messages_of
from proa.core.config.fields import Fields, Items, Pairs, shape_of
from proa.core.config.kinds import KINDS as TABLE
from proa.core.config.kinds import AnyKind
from proa.core.config.shapes import Shape, Word

Support = Literal["supported", "in part", "accepted", "read only", "not yet", "no equivalent"]

MEANINGS: Final[dict[Support, str]] = {
    "supported": "takes effect, and a test shows it",
    "in part": "takes effect, some of its values or places do not yet; the note says which",
    "accepted": "read and without effect; the note says why",
    "read only": "checked by `proa validate`, refused by `proa apply`: nothing acts on it yet",
    "not yet": "refused with its place in the file",
    "no equivalent": "of 2018; refused, nothing today can do it",
}
_RANK: Final = ("not yet", "read only", "accepted", "in part", "supported")


class FieldSupport(msgspec.Struct, frozen=True, kw_only=True):
    """`field` is `Message.field`, the kind's own without a message."""

    field: str
    support: Support
    note: str = ""


class KindSupport(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    kind: str
    versions: tuple[str, ...]
    support: Support
    fields: tuple[FieldSupport, ...] = ()

    def count(self, *wanted: Support) -> int:
        return sum(each.support in wanted for each in self.fields)


def support_of_everything() -> tuple[KindSupport, ...]:
    """Istio's kinds, its mesh-wide settings, Gateway API, then 2018's kinds."""
    found = [_of_api(group, kind, root) for (group, kind), root in KINDS.items()]
    found += [
        KindSupport(group=GATEWAY_API, kind=kind, versions=("v1",), support="not yet")
        for kind in GATEWAY_KINDS
        if (GATEWAY_API, kind) not in TABLE
    ]
    found += [_of_table(row) for key, row in TABLE.items() if key not in KINDS]
    return tuple(found)


def _of_api(group: str, kind: str, root: str) -> KindSupport:
    row = TABLE.get((group, kind))
    if row is None:
        fields = tuple(
            FieldSupport(field=_spelled(root, message, field.name), support="not yet")
            for message in messages_of(root)
            for field in MESSAGES[message]
        )
        return KindSupport(group=group, kind=kind, versions=(), support="not yet", fields=fields)
    shapes = _shapes(root, shape_of(row.spec))
    fields = tuple(
        _judge(_spelled(root, message, field.name), field.name, shapes.get(message, []), row.in_force)
        for message in messages_of(root)
        for field in MESSAGES[message]
    )
    own = {field.support for field in fields}
    whole: Support = (
        "read only" if not row.in_force else "in part" if own - {"supported", "accepted"} else "supported"
    )
    return KindSupport(group=group, kind=kind, versions=row.versions, support=whole, fields=fields)


def _spelled(root: str, message: str, field: str) -> str:
    return field if message == root else f"{message.removeprefix('type.').removeprefix('mesh.')}.{field}"


def _shapes(root: str, shape: Fields) -> dict[str, list[Fields]]:
    """Which structs of ours read a message; one message may be read by several."""
    found: dict[str, list[Fields]] = {}
    waiting = [(root, shape)]
    while waiting:
        message, fields = waiting.pop()
        if any(fields.type is known.type for known in found.setdefault(message, [])):
            continue
        found[message].append(fields)
        for field in MESSAGES[message]:
            ours = fields.fields.get(field.name)
            inner = _inner(ours.shape) if ours else None
            if field.message and isinstance(inner, Fields):
                waiting.append((field.message, inner))
    return found


def _inner(shape: Shape) -> Shape:
    """What a list or map holds, or the shape itself."""
    while isinstance(shape, Items | Pairs):
        shape = shape.item if isinstance(shape, Items) else shape.value
    return shape


def _judge(spelled: str, name: str, shapes: list[Fields], in_force: bool) -> FieldSupport:
    """No shapes: nothing leads to the message."""
    judged = [_judge_one(name, shape, in_force) for shape in shapes] or [("not yet", "")]
    supports = sorted({support for support, _ in judged}, key=_RANK.index)
    notes = "; ".join(dict.fromkeys(note for _, note in judged if note))
    if len(supports) == 1:
        return FieldSupport(field=spelled, support=supports[0], note=notes)
    return FieldSupport(
        field=spelled, support="in part", note="; ".join(("not in every place", *filter(None, [notes])))
    )


def _judge_one(name: str, shape: Fields, in_force: bool) -> tuple[Support, str]:
    field = shape.fields.get(name)
    if field is None:
        return "not yet", shape.type.NOT_YET_BECAUSE.get(name, "")
    if name in shape.type.IDLE:
        return "accepted", shape.type.IDLE[name]
    if not in_force:
        return "read only", ""
    inner = _inner(field.shape)
    if isinstance(inner, Word) and inner.later:
        because = f" ({inner.why})" if inner.why else ""
        return "in part", f"not yet: {', '.join(inner.later)}{because}"
    return "supported", ""


def _of_table(row: AnyKind) -> KindSupport:
    """A kind whose fields stand in our own schema alone: those of 2018."""
    support: Support = "supported" if row.in_force else "read only"
    fields: list[FieldSupport] = []
    met: set[type] = set()
    waiting = [("", shape_of(row.spec))]
    while waiting:
        before, shape = waiting.pop(0)
        if shape.type in met:
            continue
        met.add(shape.type)
        for name, field in shape.fields.items():
            fields.append(_of_field(f"{before}{name}", name, shape, support, row.why_not))
            inner = _inner(field.shape)
            if isinstance(inner, Fields):
                waiting.append((f"{before}{name}.", inner))
        fields += _gone(before, shape)
    return KindSupport(
        group=row.group, kind=row.kind, versions=row.versions, support=support, fields=tuple(fields)
    )


def _of_field(spelled: str, name: str, shape: Fields, support: Support, why_not: str) -> FieldSupport:
    refused = shape.type.REFUSED.get(name)
    if refused is not None:
        return FieldSupport(field=spelled, support="not yet", note=refused)
    return FieldSupport(field=spelled, support=support, note=why_not)


def _gone(before: str, shape: Fields) -> Iterator[FieldSupport]:
    for name in shape.type.NOT_YET:
        yield FieldSupport(field=f"{before}{name}", support="not yet")
    for name, why in sorted(shape.type.GONE.items()):
        yield FieldSupport(field=f"{before}{name}", support="no equivalent", note=why)
