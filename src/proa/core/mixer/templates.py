"""Instances: what a template's fields come to for one request. Plans hold how, dispatch makes them, adapters take them.

The templates themselves are configuration: `core.config.mixer.templates`.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

import msgspec
from immutables import Map

from proa.core.attributes.value_texts import written_value
from proa.core.attributes.value_types import Bag, Span, Value, ValueType
from proa.core.config.mixer.templates import Variety
from proa.core.expression.tracing import Reference
from proa.core.mixer.formulas import Formula

Field: TypeAlias = "Value | Map[str, Field]"
Known: TypeAlias = dict[object, "Field"]
"""Of one bag: values by the identities of their formulas, and maps of them."""
_Building: TypeAlias = "Value | dict[str, _Building]"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter is given. `name` is the whole one; `fields` by the template's own names, those that were left out
    are absent, and messages and maps are Maps again."""

    name: str
    template: str
    fields: Map[str, Field]

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[0]

    def texts(self, field: str) -> Map[str, str]:
        """A field that is a map, its values as texts: for adapters to which all values are texts."""
        found = self.fields.get(field)
        pairs = found.items() if isinstance(found, Map) else ()
        return Map({str(key): text_of(value) for key, value in pairs if not isinstance(value, Map)})


def text_of(value: Value) -> str:
    """A value as quotas compare it and logs show it: texts as they are, numbers and times as they are written."""
    written = written_value(value)
    return str(written).lower() if isinstance(written, bool) else str(written)


def flat_text(value: Field) -> str:
    """The same of a field that may be a map: as JSON, in the order of its keys."""
    if isinstance(value, str):
        return value
    if isinstance(value, Map):
        return msgspec.json.encode(
            {str(key): flat_text(each) for key, each in value.items()}, order="sorted"
        ).decode()
    return text_of(value)


def number_of(value: object) -> float:
    """What is measured: a duration in seconds, a text as the number that it is; NaN of what is none."""
    if isinstance(value, Span):
        return value.nanoseconds / 1e9
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan


class InstancePlan(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """How an instance is made. `fields` are paths below the instance with the formula of each, in order."""

    name: str
    template: str
    variety: Variety
    fields: tuple[tuple[tuple[str, ...], Formula], ...] = ()
    bindings: tuple[tuple[str, Formula], ...] = ()

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[0]

    @property
    def types(self) -> Map[str, ValueType]:
        """Of the fields, by their dotted paths: what an adapter is told before the first instance."""
        return Map({".".join(path): formula.type for path, formula in self.fields})


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """`instance` None: it could not be made, and `failure` says why."""

    instance: Instance | None
    failure: str
    references: tuple[Reference, ...]


def build(plan: InstancePlan, bag: Bag, *, known: Known | None = None) -> Built:
    """Of an instance that cannot be made, the references are those of what was read until then. With `known` there are
    none, and what other instances of the same bag said is not reckoned again: for reports, whose instances often have
    the same dimensions."""
    if known is not None:
        return _untraced(plan, bag, known)
    fields: dict[str, _Building] = {}
    seen: dict[Reference, None] = {}
    for path, formula in plan.fields:
        found = formula.trace(bag)
        seen.update(dict.fromkeys(found.references))
        if found.error is not None or found.value is None:
            failure = not_told(plan, path, str(found.error))
            return Built(instance=None, failure=failure, references=tuple(seen))
        _put(fields, path, found.value)
    instance = Instance(name=plan.name, template=plan.template, fields=_frozen(fields))
    return Built(instance=instance, failure="", references=tuple(seen))


def _untraced(plan: InstancePlan, bag: Bag, known: Known) -> Built:
    layout = _layout(plan)
    fields: dict[str, Field] = {}
    for name, formula in layout.single:
        value = known.get(id(formula))
        if value is None:
            found = formula.evaluate(bag)
            if found.error is not None or found.value is None:
                return Built(instance=None, failure=not_told(plan, (name,), str(found.error)), references=())
            value = known[id(formula)] = _kept(found.value)
        fields[name] = value
    for name, group, members in layout.groups:
        told = known.get(group)
        if told is None:
            values: dict[str, Field] = {}
            for member, formula in members:
                found = formula.evaluate(bag)
                if found.error is not None or found.value is None:
                    failure = not_told(plan, (name, member), str(found.error))
                    return Built(instance=None, failure=failure, references=())
                values[member] = _kept(found.value)
            told = known[group] = Map(values)
        fields[name] = told
    return Built(
        instance=Instance(name=plan.name, template=plan.template, fields=Map(fields)),
        failure="",
        references=(),
    )


def _kept(value: Value) -> Value:
    return Map(value) if isinstance(value, dict) else value


class _Layout(msgspec.Struct, frozen=True):
    """An instance's fields: those that are one value, and maps of them, each with what tells equal maps."""

    single: tuple[tuple[str, Formula], ...]
    groups: tuple[tuple[str, tuple[tuple[str, int], ...], tuple[tuple[str, Formula], ...]], ...]


@lru_cache(maxsize=4096)
def _layout(plan: InstancePlan) -> _Layout:
    """Of templates of reports, which are never deeper."""
    groups: dict[str, list[tuple[str, Formula]]] = {}
    for path, formula in plan.fields:
        if len(path) > 1:
            name, member = path
            groups.setdefault(name, []).append((member, formula))
    return _Layout(
        single=tuple((path[0], formula) for path, formula in plan.fields if len(path) == 1),
        groups=tuple(
            (name, tuple((member, id(formula)) for member, formula in members), tuple(members))
            for name, members in groups.items()
        ),
    )


def not_told(plan: InstancePlan, path: tuple[str, ...], error: str) -> str:
    """Why an instance was not made."""
    return f"{'.'.join(path)} of {plan.name} cannot be told: {error}"


def _put(fields: dict[str, "_Building"], path: tuple[str, ...], value: Value) -> None:
    inner = fields
    for step in path[:-1]:
        below = inner.setdefault(step, {})
        assert isinstance(below, dict)
        inner = below
    inner[path[-1]] = Map(value) if isinstance(value, dict) else value


def _frozen(fields: Mapping[str, "_Building"]) -> Map[str, Field]:
    return Map({name: _frozen(each) if isinstance(each, dict) else each for name, each in fields.items()})
