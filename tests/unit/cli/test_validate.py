import json
from pathlib import Path

from tests.unit.cli.conftest import Proa

GOOD = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
"""
BAD = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ratings
spec:
  hots: ratings
"""


def test_good_files_are_fine_without_a_mesh(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)

    result = proa("validate", "-f", tmp_path / "a.yaml")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "1 object in 1 file: fine\n", "")


def test_every_problem_of_every_file_has_its_place(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "---\n" + BAD)
    (tmp_path / "b.yaml").write_text("kind: [")

    result = proa("validate", "-f", tmp_path / "a.yaml", tmp_path / "b.yaml")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"{tmp_path}/a.yaml:13: spec.hots: " in result.stderr
    assert "[unknown-field]" in result.stderr
    assert f"{tmp_path}/b.yaml:1: " in result.stderr


def test_a_directory_is_its_own_files(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("no YAML: [")

    assert proa("validate", "-f", tmp_path).stdout == "1 object in 1 file: fine\n"


def test_an_empty_directory_is_a_problem(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    result = proa("validate", "-f", tmp_path / "empty")

    assert result.exit_code == 1
    assert "holds no *.yaml" in result.stderr


def test_standard_input(proa: Proa) -> None:
    result = proa("validate", "-f", "-", input=BAD)

    assert result.exit_code == 1
    assert "<stdin>:6: spec.hots" in result.stderr


def test_of_an_object_written_twice_in_a_file_the_later_counts_with_a_warning(
    proa: Proa, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(f"{GOOD}\n---\n{GOOD}")

    result = proa("validate", "-f", tmp_path)

    assert result.exit_code == 0
    assert f"takes the place of the one at {tmp_path}/a.yaml:1" in result.stderr


def test_a_later_file_overrides_with_a_warning(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text("# the same\n" + GOOD)

    result = proa("validate", "-f", tmp_path)

    assert result.exit_code == 0
    assert f"takes the place of the one at {tmp_path}/a.yaml:1" in result.stderr


def test_problems_as_json(proa: Proa) -> None:
    result = proa("validate", "-f", "-", "-o", "json", input=BAD)

    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert answer["objects"] == 0
    assert {problem["code"] for problem in answer["problems"]} >= {"unknown-field"}


def test_a_missing_file_is_a_usage_error(proa: Proa) -> None:
    assert proa("validate", "-f", "/no/such/file").exit_code == 2
    assert proa("validate").exit_code == 2


READ_ONLY = """\
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata:
  name: nobody
spec: {}
"""


def test_a_kind_that_nothing_acts_on_is_checked_with_a_warning(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(READ_ONLY)

    result = proa("validate", "-f", tmp_path / "a.yaml")

    assert result.exit_code == 0
    assert "warning: Telemetry is read and checked; Proa does not act on it yet" in result.stderr
