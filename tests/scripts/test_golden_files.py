"""The golden files' rule: equal passes, different fails with the difference, the switch rewrites."""

from pathlib import Path

import pytest

from tests.golden_files import GoldenFiles, case_name, golden_of, inputs


def test_equal_text_passes_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.golden.yaml").write_text("x: 1\n")
    files = GoldenFiles(update=True)
    files(tmp_path / "a.input.yaml", "x: 1\n")
    assert files.rewritten == []


def test_different_text_fails_with_the_difference(tmp_path: Path) -> None:
    (tmp_path / "a.golden.yaml").write_text("x: 1\n")
    with pytest.raises(AssertionError, match=r"a\.golden\.yaml differs(.|\n)*-x: 1\n\+x: 2"):
        GoldenFiles(update=False)(tmp_path / "a.input.yaml", "x: 2\n")


def test_the_switch_rewrites(tmp_path: Path) -> None:
    files = GoldenFiles(update=True)
    files(tmp_path / "a.input.yaml", "{}", suffix=".json")
    assert (tmp_path / "a.golden.json").read_text() == "{}"
    assert files.rewritten == [tmp_path / "a.golden.json"]


def test_cases_are_found_and_named_by_their_input(tmp_path: Path) -> None:
    for name in ("b.input.yaml", "a.input.json", "a.golden.json"):
        (tmp_path / name).touch()
    assert [case_name(case) for case in inputs(tmp_path)] == ["a", "b"]
    with pytest.raises(ValueError, match=r"NAME\.input\.SUFFIX"):
        golden_of(tmp_path / "a.yaml")
