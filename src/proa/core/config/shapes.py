"""How single values are read and written: texts, numbers, durations, words, objects of no schema. `fields`
composes them to structs.

Every `read` answers a value of its type; where the input is wrong it reports a Finding and answers a blank.
As in Kubernetes, no text is taken for a number.
"""

import re
from typing import Protocol, cast

import msgspec

from proa.core.config.durations import duration_text, parse_duration
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import Json, shorten, type_name

# One spelling a number: as keys of a map, two spellings would become one.
PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class Shape(Protocol):
    """How one type is read and written. `blank` stands in for a value that could not be read."""

    @property
    def blank(self) -> object: ...

    def read(self, value: Json, at: Path, found: list[Finding]) -> object: ...

    def write(self, value: object) -> Json: ...


class Text(msgspec.Struct, frozen=True):
    may_be_empty: bool = True
    blank: str = ""

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is str:
            if not value and not self.may_be_empty:
                found.append(Finding(at, "required", "must not be empty; write at least one character"))
            return value
        wrong = "" if value is None or isinstance(value, list | dict) else "; put it in quotes"
        found.append(wrong_type(at, "text", value, wrong))
        return self.blank

    def write(self, value: object) -> Json:
        return cast(str, value)


class Free(msgspec.Struct, frozen=True):
    """An object of any fields, kept as JSON with its keys in order: so equal objects are equal texts."""

    blank: str = "{}"

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is dict:
            return msgspec.json.encode(value, order="sorted").decode()
        found.append(wrong_type(at, "an object", value))
        return self.blank

    def write(self, value: object) -> Json:
        return cast(Json, msgspec.json.decode(cast(str, value)))


class Flag(msgspec.Struct, frozen=True):
    blank: bool = False

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is bool:
            return value
        found.append(wrong_type(at, "true or false", value))
        return self.blank

    def write(self, value: object) -> Json:
        return cast(bool, value)


class Integer(msgspec.Struct, frozen=True):
    lowest: int
    highest: int

    @property
    def blank(self) -> int:
        return self.lowest

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is not int:
            hint = "; remove the quotes" if isinstance(value, str) and PLAIN_NUMBER.fullmatch(value) else ""
            found.append(wrong_type(at, "a whole number", value, hint))
        elif not self.lowest <= value <= self.highest:
            found.append(out_of_range(at, value, self.lowest, self.highest))
        else:
            return value
        return self.blank

    def write(self, value: object) -> Json:
        return cast(int, value)


class Number(msgspec.Struct, frozen=True):
    lowest: int
    highest: int

    @property
    def blank(self) -> float:
        return float(self.lowest)

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            found.append(wrong_type(at, "a number", value))
        elif not self.lowest <= value <= self.highest:
            found.append(out_of_range(at, value, self.lowest, self.highest))
        else:
            return float(value)
        return self.blank

    def write(self, value: object) -> Json:
        number = cast(float, value)
        return int(number) if number.is_integer() else number


class Timespan(msgspec.Struct, frozen=True):
    """A duration, kept as whole milliseconds."""

    lowest: int

    @property
    def blank(self) -> int:
        return self.lowest

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is not str:
            hint = "; write the unit, like 5s" if isinstance(value, int | float) else ""
            found.append(wrong_type(at, "a duration", value, hint))
            return self.blank
        try:
            milliseconds = parse_duration(value)
        except ValueError as error:
            found.append(Finding(at, "bad-value", f'"{shorten(value)}": {error}'))
            return self.blank
        if milliseconds >= self.lowest:
            return milliseconds
        message = f'"{value}" is too short; the shortest duration here is {duration_text(self.lowest)}'
        found.append(Finding(at, "out-of-range", message))
        return self.blank

    def write(self, value: object) -> Json:
        return duration_text(cast(int, value))


class Word(msgspec.Struct, frozen=True):
    """One of a few words; `later` are those of Istio that are not served yet, for the reason `why`. `numbered`: the
    place of a word, from 0, means it too."""

    words: tuple[str, ...]
    later: tuple[str, ...] = ()
    why: str = ""
    numbered: bool = False

    @property
    def blank(self) -> str:
        return self.words[0]

    def read(self, value: Json, at: Path, found: list[Finding]) -> object:
        if type(value) is str and value in self.words:
            return value
        if self.numbered and type(value) is int and 0 <= value < len(self.words):
            return self.words[value]
        choices = ", ".join(self.words)
        if type(value) is not str:
            found.append(wrong_type(at, f"one of {choices}", value))
        elif value in self.later:
            because = f": {self.why}" if self.why else ""
            message = f"{value} is not supported yet{because}; choose one of {choices}"
            found.append(Finding(at, "not-supported-yet", message))
        else:
            near = suggestion(value, self.words)
            found.append(Finding(at, "bad-value", f'"{shorten(value)}" is none of {choices}{near}'))
        return self.blank

    def write(self, value: object) -> Json:
        return cast(str, value)


def wrong_type(at: Path, wanted: str, value: Json, hint: str = "") -> Finding:
    """`hint` starts with a semicolon and says what to write."""
    return Finding(at, "wrong-type", f"expected {wanted}, found {type_name(value)}{hint}")


def out_of_range(at: Path, value: float, lowest: int, highest: int) -> Finding:
    message = f"{shorten(str(value))} is out of range; write a number from {lowest} to {highest}"
    return Finding(at, "out-of-range", message)
