import math

import pytest

from proa.core.config.problem import Finding
from proa.core.config.shapes import Flag, Integer, Number, Shape, Text, Timespan, Word
from proa.core.config.tree import Json

ODD: list[Json] = [None, True, -1, 7, 2**70, 1.5, math.nan, "7", "", "x", [], {}]


@pytest.mark.parametrize(
    ("shape", "accepted"),
    [
        (Text(), ["7", "", "x"]),
        (Flag(), [True]),
        (Integer(0, 100), [7]),
        (Number(0, 100), [7, 1.5]),
        (Word(("x", "y")), ["x"]),
    ],
)
def test_no_value_is_taken_for_another_type(shape: Shape, accepted: list[Json]) -> None:
    for value in ODD:
        found: list[Finding] = []
        read = shape.read(value, ("a",), found)
        if any(value is one for one in accepted):
            assert (read, found) == (value, [])
            assert shape.write(read) == value
        else:
            assert read == shape.blank
            assert [finding.path for finding in found] == [("a",)]


def test_durations() -> None:
    found: list[Finding] = []
    assert Timespan(1).read("1.5s", (), found) == 1500
    assert Timespan(1).write(1500) == "1.5s"
    assert found == []
    for value in ("0s", "1d", 5, None):
        assert Timespan(1).read(value, (), found) == 1
    assert [finding.code for finding in found] == ["out-of-range", "bad-value", "wrong-type", "wrong-type"]


def test_words_that_come_later_are_told_apart_from_mistakes() -> None:
    found: list[Finding] = []
    for value in ("MUTUAL", "DISABLED"):
        Word(("DISABLE", "SIMPLE"), ("MUTUAL",)).read(value, (), found)
    assert [finding.code for finding in found] == ["not-supported-yet", "bad-value"]
    assert found[1].message.endswith('did you mean "DISABLE"?')


def test_words_with_numbers_may_be_written_by_them() -> None:
    found: list[Finding] = []
    words = Word(("INFO", "WARNING"), numbered=True)
    assert [words.read(value, (), found) for value in (0, 1, "WARNING")] == ["INFO", "WARNING", "WARNING"]
    assert found == []
    for value in (2, -1, True, 1.0, "1"):
        assert words.read(value, (), found) == "INFO"
    assert [finding.code for finding in found] == [*["wrong-type"] * 4, "bad-value"]


def test_hints_say_what_to_write() -> None:
    found: list[Finding] = []
    Integer(0, 100).read("80", (), found)
    Text().read(80, (), found)
    Timespan(1).read(5, (), found)
    assert [finding.message.partition("; ")[2] for finding in found] == [
        "remove the quotes",
        "put it in quotes",
        "write the unit, like 5s",
    ]


def test_a_whole_percentage_is_written_without_a_point() -> None:
    assert repr(Number(0, 100).write(100.0)) == "100"
    assert Number(0, 100).write(12.5) == 12.5
