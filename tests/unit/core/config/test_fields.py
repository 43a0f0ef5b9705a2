from typing import Annotated, Literal

import pytest
from immutables import Map

from proa.core.config.fields import shape_of, unknown_field
from proa.core.config.problem import Finding
from proa.core.config.record import Duration, LaterWords, NotEmpty, Numbered, PercentFloat, Port, Record
from proa.core.config.tree import Json


class Inner(Record, frozen=True, kw_only=True):
    needed_name: str
    port: Port | None = None


class Outer(Record, frozen=True, kw_only=True):
    NOT_YET = ("tunnel",)

    items: tuple[Inner, ...]
    by_port: Annotated[Map[Port, Inner], NotEmpty()] = Map()
    words: Map[str, str] = Map()
    mode: Annotated[Literal["A", "B"], LaterWords(("C",))] = "A"
    level: Annotated[Literal["LOW", "HIGH"], Numbered()] = "LOW"
    wait: Duration | None = None
    share: PercentFloat = 0.0
    is_on: bool = False


FULL: Json = {
    "items": [{"neededName": "x", "port": 1}, {"neededName": "y"}],
    "byPort": {"80": {"neededName": "z"}},
    "words": {"a": "b"},
    "mode": "B",
    "wait": "5s",
    "share": 12.5,
    "isOn": True,
}


def read(value: Json) -> tuple[object, list[tuple[str, str]]]:
    found: list[Finding] = []
    result = shape_of(Outer).read(value, (), found)
    return result, [("/".join(map(str, finding.path)), finding.code) for finding in found]


def test_a_number_of_a_word_is_written_back_as_the_word() -> None:
    result, found = read({"items": [], "level": 1})
    assert found == []
    assert shape_of(Outer).write(result) == {"items": [], "level": "HIGH"}


def test_everything_is_read_and_written_back() -> None:
    result, found = read(FULL)
    assert found == []
    assert result == Outer(
        items=(Inner(needed_name="x", port=1), Inner(needed_name="y")),
        by_port=Map({80: Inner(needed_name="z")}),
        words=Map({"a": "b"}),
        mode="B",
        wait=5000,
        share=12.5,
        is_on=True,
    )
    assert shape_of(Outer).write(result) == FULL


def test_defaults_are_not_written_and_required_fields_are() -> None:
    assert shape_of(Outer).write(Outer(items=())) == {"items": []}


def test_null_is_absent() -> None:
    assert read({"items": [], "wait": None, "tunnel": None}) == (Outer(items=()), [])


def test_every_mistake_is_told_at_once() -> None:
    _, found = read(
        {
            "items": [{}, {"neededName": 1, "prt": 2}, "x", None],
            "byPort": {"0": {"neededName": "z"}, "http": {}, "080": None},
            "words": {"a": None},
            "mode": "C",
            "wait": 5,
            "share": 101,
            "isOn": "yes",
            "tunnel": {},
            "itms": [],
        }
    )
    assert found == [
        ("items/0/neededName", "required"),
        ("items/1/neededName", "wrong-type"),
        ("items/1/prt", "unknown-field"),
        ("items/2", "wrong-type"),
        ("items/3", "wrong-type"),
        ("byPort/0", "out-of-range"),
        ("byPort/http", "wrong-type"),
        ("byPort/http/neededName", "required"),
        ("byPort/080", "wrong-type"),
        ("byPort/080", "wrong-type"),
        ("words/a", "wrong-type"),
        ("mode", "not-supported-yet"),
        ("wait", "wrong-type"),
        ("share", "out-of-range"),
        ("isOn", "wrong-type"),
        ("tunnel", "not-supported-yet"),
        ("itms", "unknown-field"),
    ]


def test_a_wrong_value_still_gives_one_of_the_right_type() -> None:
    values: list[Json] = [None, 1, "x", [], {}, {"items": {}}, {"items": [1]}]
    for value in values:
        result, found = read(value)
        assert isinstance(result, Outer)
        assert found


def test_what_must_not_be_empty() -> None:
    assert read({"items": [], "byPort": {}})[1] == [("byPort", "required")]


def test_a_number_without_bounds_is_a_mistake_of_the_schema() -> None:
    class Unbounded(Record, frozen=True, kw_only=True):
        number: int

    with pytest.raises(TypeError, match="bounds"):
        shape_of(Unbounded)


def test_unknown_fields_name_the_near_one_or_all() -> None:
    assert unknown_field((), "itms", {"items": 1, "mode": 2}).message.endswith('did you mean "items"?')
    assert unknown_field((), "zzz", {"items": 1, "mode": 2}).message.endswith(
        "the fields here are items, mode"
    )
