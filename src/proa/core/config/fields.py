"""Schemas to readers and writers: raw trees to typed structs, telling everything that is wrong on the way.

`shape_of(struct type)` compiles a schema once. `read` always answers a value of the right type: where the input is
wrong it reports a Finding and goes on with a blank, so one pass finds every mistake and the validators still see the
rest. Whoever reads must drop the value when a Finding of severity error was reported. `write` is the inverse.
Callers: `kinds.kind`, `render`. This module knows no kind and no meaning beyond types, words and ranges.

As in Kubernetes, a null field is an absent field.
"""

from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from immutables import Map

from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import (
    FreeForm,
    LaterWords,
    Milliseconds,
    NotEmpty,
    NullIsEmpty,
    Numbered,
    Record,
    Within,
)
from proa.core.config.shapes import (
    PLAIN_NUMBER,
    Flag,
    Free,
    Integer,
    Number,
    Shape,
    Text,
    Timespan,
    Word,
    wrong_type,
)
from proa.core.config.tree import Json, shorten


class Items(msgspec.Struct, frozen=True):
    item: Shape
    may_be_empty: bool = True
    blank: tuple[object, ...] = ()

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is not list:
            found.append(wrong_type(at, "a list", value, "; begin each item with a dash"))
            return self.blank
        if not value and not self.may_be_empty:
            found.append(Finding(at, "required", "must hold at least one item; add one or remove the field"))
        read = self.item.read
        return tuple([read(item, (*at, index), found) for index, item in enumerate(value)])

    def write(self, value: object) -> Json:
        return [self.item.write(item) for item in cast(tuple[object, ...], value)]


class Pairs(msgspec.Struct, frozen=True):
    """A map. Keys are text, or numbers when `key` says so; a null value is no value and refused."""

    key: Integer | None
    value: Shape
    may_be_empty: bool = True
    blank: Map[str | int, object] = Map()

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is not dict:
            found.append(wrong_type(at, "an object of names and values", value))
            return self.blank
        if not value and not self.may_be_empty:
            found.append(Finding(at, "required", "must hold at least one entry; add one or remove the field"))
        pairs: dict[str | int, object] = {}
        for name, content in value.items():
            place = (*at, name)
            key = name if self.key is None else self._number(name, place, found)
            pairs[key] = self.value.read(content, place, found)
        return Map(pairs)

    def _number(self, name: str, at: Path, found: list[Finding]) -> int:
        number = int(name) if PLAIN_NUMBER.fullmatch(name) else name
        return cast(int, cast(Integer, self.key).read(number, at, found))

    def write(self, value: object) -> Json:
        pairs = cast(Mapping[str | int, object], value)
        return {str(name): self.value.write(pairs[name]) for name in sorted(pairs, key=str)}


class Field(msgspec.Struct, frozen=True):
    """One field of a struct: its attribute, its name in documents, and its default unless it is required.
    `null_is_empty`: nothing behind its name is an empty object, and not an absent field."""

    attribute: str
    name: str
    shape: Shape
    required: bool
    default: object
    null_is_empty: bool = False


class Fields(msgspec.Struct, frozen=True):
    """A struct. `other_names`: second spellings of fields to the first."""

    type: type[Record]
    fields: dict[str, Field]
    required: tuple[Field, ...]
    other_names: dict[str, str] = {}

    @property
    def blank(self) -> object:
        return self.type(**{field.attribute: field.shape.blank for field in self.required})

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is not dict:
            found.append(wrong_type(at, "an object", value))
            return self.blank
        given: dict[str, object] = {}
        for name, content in value.items():
            field = self.fields.get(name) or self.fields.get(self.other_names.get(name, ""))
            if field is None:
                self._unknown(name, content, at, found)
                continue
            if content is None and field.null_is_empty:
                content = {}
            if field.attribute in given and content is not None:
                message = f'"{name}" and "{field.name}" are one field; remove one'
                found.append(Finding((*at, name), "duplicate", message))
            elif content is not None:
                read = field.shape.read(content, (*at, name), found)
                # A default that is written out must be the default itself, or digests would tell them apart.
                if field.required or read != field.default:
                    given[field.attribute] = read
        for field in self.required:
            if field.attribute not in given:
                found.append(
                    Finding((*at, field.name), "required", f'the field "{field.name}" is required; add it')
                )
                given[field.attribute] = field.shape.blank
        return self.type(**given)

    def _unknown(self, name: str, content: Json, at: Path, found: list[Finding]) -> None:
        if name in self.type.GONE:
            if content is not None:
                found.append(Finding((*at, name), "no-equivalent", f"{name} {self.type.GONE[name]}"))
        elif name not in self.type.NOT_YET:
            found.append(unknown_field((*at, name), name, self.fields))
        elif content is not None:
            because = f": {why}" if (why := self.type.NOT_YET_BECAUSE.get(name)) else ""
            message = f'{self.type.LANGUAGE}\'s field "{name}" is not supported yet{because}; remove it'
            found.append(Finding((*at, name), "not-supported-yet", message))

    def write(self, value: object) -> Json:
        written: dict[str, Json] = {}
        for field in self.fields.values():
            content = getattr(value, field.attribute)
            if field.required or content != field.default:
                written[field.name] = field.shape.write(content)
        return written


@cache
def shape_of(struct: type[Record]) -> Fields:
    """The compiled schema. Raises TypeError when the schema uses a type this module does not know."""
    hints: dict[str, object] = get_type_hints(struct, include_extras=True)
    fields = {
        info.encode_name: Field(
            info.name,
            info.encode_name,
            _shape(hints[info.name]),
            info.required,
            None if info.required else info.default,
            any(isinstance(mark, NullIsEmpty) for mark in get_args(hints[info.name])[1:]),
        )
        for info in msgspec.structs.fields(struct)
    }
    required = tuple(field for field in fields.values() if field.required)
    other_names = {field.attribute: name for name, field in fields.items() if struct.SNAKE_TOO}
    return Fields(struct, fields, required, other_names)


def _shape(hint: object, marks: tuple[object, ...] = ()) -> Shape:
    """A type with the marks written on it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _shape(arguments[0], (*arguments[1:], *marks))
    if origin in (Union, UnionType):
        (only,) = (argument for argument in arguments if argument is not NoneType)
        return _shape(only, marks)
    if origin is Literal:
        later = next((mark for mark in marks if isinstance(mark, LaterWords)), LaterWords(()))
        numbered = any(isinstance(mark, Numbered) for mark in marks)
        return Word(arguments, later.words, later.why, numbered)
    may_be_empty = not any(isinstance(mark, NotEmpty) for mark in marks)
    if origin is tuple:
        return Items(_shape(arguments[0]), may_be_empty)
    if origin is Map:
        key = _shape(arguments[0])
        return Pairs(key if isinstance(key, Integer) else None, _shape(arguments[1]), may_be_empty)
    if isinstance(hint, type):
        return _plain_shape(hint, marks)
    raise TypeError(f"no shape for {hint!r}")


def _plain_shape(hint: type, marks: tuple[object, ...]) -> Shape:
    within = [mark for mark in marks if isinstance(mark, Within)]
    timespan = [mark for mark in marks if isinstance(mark, Milliseconds)]
    if issubclass(hint, Record):
        return shape_of(hint)
    if hint is str and any(isinstance(mark, FreeForm) for mark in marks):
        return Free()
    if hint is str:
        return Text(not any(isinstance(mark, NotEmpty) for mark in marks))
    if hint is bool:
        return Flag()
    if hint is int and timespan:
        return Timespan(timespan[0].lowest)
    if hint is int and within:
        return Integer(within[0].lowest, within[0].highest)
    if hint is float and within:
        return Number(within[0].lowest, within[0].highest)
    raise TypeError(f"no shape for {hint!r}; a number needs its bounds")


def unknown_field(at: Path, name: str, known: Mapping[str, object]) -> Finding:
    """A field that nobody knows, with the near name or else all names there are."""
    hint = suggestion(name, known) or f"; the fields here are {', '.join(known)}"
    return Finding(at, "unknown-field", f'there is no field "{shorten(name)}"{hint}')
