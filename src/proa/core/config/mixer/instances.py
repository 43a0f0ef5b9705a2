"""Which expressions an instance is made of, where each stands and what type it must have. Validators check them one by
one, plans compile them."""

from collections.abc import Iterator
from functools import cache
from typing import get_args, get_type_hints

import msgspec
from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import STANDARD
from proa.core.config.expressions import expression_faults
from proa.core.config.fields import shape_of
from proa.core.config.meta import Meta
from proa.core.config.mixer.templates import TEMPLATES, Instance, Yields
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Record

BINDINGS = "attribute_bindings"


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One expression. `path` is its place below the instance's fields, as in documents; `field` the names of the
    template's field, and behind them that of the entry if the field is a map. `type` None: any; `also`: or of these."""

    path: Path
    field: tuple[str, ...]
    text: str
    type: ValueType | None
    also: tuple[ValueType, ...] = ()


def expressions_of(instance: Instance) -> Iterator[Placed]:
    """Fields that are left out are absent from the instance; bindings of attributes are not among them."""
    yield from _expressions(instance, (), ())


def _expressions(record: Record, at: Path, within: tuple[str, ...]) -> Iterator[Placed]:
    types = _types(type(record))
    for field in shape_of(type(record)).fields.values():
        value: object = getattr(record, field.attribute)
        path, names = (*at, field.name), (*within, field.attribute)
        if isinstance(value, Record):
            yield from _expressions(value, path, names)
        elif field.attribute in types:
            wanted = types[field.attribute]
            if isinstance(value, Map):
                for key, text in sorted(value.items()):
                    yield Placed(path=(*path, key), field=(*names, key), text=text, type=wanted.type)
            elif isinstance(value, str) and value.strip():
                yield Placed(path=path, field=names, text=value, type=wanted.type, also=wanted.also)


@cache
def _types(struct: type[Record]) -> dict[str, Yields]:
    """Of the fields that hold expressions, by attribute."""
    hints: dict[str, object] = get_type_hints(struct, include_extras=True)
    found = {name: _mark(hint) for name, hint in hints.items()}
    return {name: mark for name, mark in found.items() if mark is not None}


def _mark(hint: object) -> Yields | None:
    """Of a text, or of a map's values."""
    marks = (mark for part in (hint, *get_args(hint)) for mark in getattr(part, "__metadata__", ()))
    return next((mark for mark in marks if isinstance(mark, Yields)), None)


def validate(spec: Instance, _meta: Meta) -> Iterator[Finding]:
    """Whether all texts are expressions. Called through the kinds table."""
    yield from instance_faults(spec, ("spec",))


def instance_faults(spec: Instance, at: Path) -> Iterator[Finding]:
    for placed in expressions_of(spec):
        faults = expression_faults(placed.text, placed.type)
        if all(expression_faults(placed.text, other) for other in placed.also):
            for fault in faults:
                yield Finding((*at, *placed.path), "bad-value", fault)
    outputs = next((each.outputs for each in TEMPLATES.values() if each.fields is type(spec)), {})
    for name, text in spec.attribute_bindings.items():
        for fault in expression_faults(text, STANDARD.type_of(name), outputs=outputs):
            yield Finding((*at, "attributeBindings", name), "bad-value", fault)
