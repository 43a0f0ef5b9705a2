from pathlib import Path

import pytest

from proa.cli.log_files import follow_file, last_lines
from proa.cli.output import columns, count, span, to_text
from proa.cli.parameters import Duration


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    assert columns(("A", "B", "C"), [("x", "", "1"), ("long", "", "22")]) == "A     C\nx     1\nlong  22\n"
    assert columns(("A", "B"), []) == "A  B\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3_661, "1h1m"), (86_400, "1d"), (90_061, "1d1h"), (-61, "-1m1s")],
)
def test_spans_have_two_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("1.5m", 90)])
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


def test_counts_have_a_plural() -> None:
    assert [count(1, "proxy", "proxies"), count(0, "proxy", "proxies"), count(2, "file")] == [
        "1 proxy",
        "0 proxies",
        "2 files",
    ]


def test_trees_as_yaml_and_json() -> None:
    assert to_text({"a": [1]}, "yaml") == "a:\n- 1\n"
    assert to_text([1], "yaml") == "- 1\n"
    assert to_text({"a": "ü"}, "json") == '{\n  "a": "ü"\n}\n'


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log, 2)[0] == ""
    log.write_text("a\nb\nc\n")
    assert last_lines(log, 2)[0] == "b\nc\n"
    assert last_lines(log, 0)[0] == ""


def test_following_a_log_through_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("zero\n")
    following = follow_file(log, last_lines(log, 1)[1])
    with log.open("a") as file:
        file.write("one\n")
    assert next(following) == "one\n"
    with log.open("a") as file:
        file.write("two\n")
    assert next(following) == "two\n"
    log.rename(tmp_path / "log.1")
    log.write_text("three, longer than before\n")
    assert next(following) == "three, longer than before\n"
