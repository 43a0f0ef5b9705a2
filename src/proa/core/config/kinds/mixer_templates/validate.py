"""Whether instances of Mixer's templates make sense: all texts are expressions. Called through the kinds table."""

from collections.abc import Iterator

from immutables import Map

from proa.core.config.expressions import expression_fault
from proa.core.config.fields import shape_of
from proa.core.config.kinds.mixer_templates.schema import Instance
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Record


def validate(spec: Instance, _meta: Meta) -> Iterator[Finding]:
    yield from _check(spec, ("spec",))


def _check(record: Record, at: Path) -> Iterator[Finding]:
    for field in shape_of(type(record)).fields.values():
        value: object = getattr(record, field.attribute)
        place = (*at, field.name)
        if field.attribute == "attribute_bindings":
            continue  # made of `$out`, which is a language of its own
        if isinstance(value, str) and value.strip():
            yield from _check_expression(value, place)
        elif isinstance(value, Map):
            for name, text in value.items():
                yield from _check_expression(text, (*place, name))
        elif isinstance(value, Record):
            yield from _check(value, place)


def _check_expression(text: str, at: Path) -> Iterator[Finding]:
    if fault := expression_fault(text):
        yield Finding(at, "bad-value", fault)
