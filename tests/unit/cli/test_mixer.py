"""`proa mixer eval`: one expression, and batches."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Proa

LABELS = "source.labels: {app: reviews}\n"


@pytest.fixture
def attributes(tmp_path: Path) -> Path:
    path = tmp_path / "attributes.yaml"
    path.write_text(LABELS)
    return path


def test_a_value(proa: Proa, attributes: Path) -> None:
    result = proa("mixer", "eval", 'source.labels["app"] | "unknown"', "--attributes", attributes)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "type        STRING",
        "value       reviews",
        "references  source.labels, source.labels[app]",
    ]


def test_a_value_in_cel(proa: Proa, attributes: Path) -> None:
    words = ("mixer", "eval", "--language", "cel", "--attributes", str(attributes))
    done = proa(*words, "!has(source.labels.version) && source.labels.app in ['ratings', 'reviews']")
    assert done.stdout.splitlines()[:2] == ["type        BOOL", "value       true"]
    refused = proa(*words, "request.host | 1")
    assert refused.exit_code == 1
    assert "|| is or" in refused.stderr


def test_a_value_as_json(proa: Proa, attributes: Path) -> None:
    result = proa("mixer", "eval", "source.labels", "--attributes", attributes, "-o", "json")
    assert json.loads(result.stdout) == {
        "type": "STRING_MAP",
        "value": {"app": "reviews"},
        "references": ["source.labels"],
    }


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("source.label", 'compile error: column 1: there is no attribute "source.label"'),
        ("request.path", "runtime error: lookup failed: 'request.path'"),
    ],
)
def test_no_value(proa: Proa, expression: str, message: str) -> None:
    result = proa("mixer", "eval", expression)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    result = proa("mixer", "eval", expression, "-o", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] in message


def test_own_attributes(proa: Proa, tmp_path: Path) -> None:
    manifest, attributes = tmp_path / "manifest.json", tmp_path / "attributes.json"
    manifest.write_text('{"mine": "DURATION"}')
    attributes.write_text('{"mine": "1500ms"}')
    result = proa("mixer", "eval", "mine", "--manifest", manifest, "--attributes", attributes, "-o", "json")
    assert json.loads(result.stdout)["value"] == "1.5s"


def test_problems_of_files_have_places(proa: Proa, tmp_path: Path, attributes: Path) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("mine: DURATION\nyours: TEXT\n")
    result = proa("mixer", "eval", "mine", "--manifest", manifest)
    assert result.exit_code == 1
    assert f"{manifest}:2: yours:" in result.stderr
    attributes.write_text("response.code: x\n")
    result = proa("mixer", "eval", "response.code", "--attributes", attributes)
    assert result.exit_code == 1
    assert f"{attributes}:1: [response.code]:" in result.stderr
    manifest.write_text("one: {a: STRING}\n")
    result = proa("mixer", "eval", "a", "--manifest", manifest)
    assert result.exit_code == 1
    assert "holds several manifests" in result.stderr


def test_a_batch_is_answered_in_order_and_bad_lines_are_named(proa: Proa, tmp_path: Path) -> None:
    cases, manifests = tmp_path / "cases.jsonl", tmp_path / "manifests.json"
    manifests.write_text('{"own": {"a": "INT64"}}')
    good = [
        {"id": 2, "manifest": "own", "expr": "a + 1", "attributes": {"a": ["INT64", 1]}},
        {"id": 1, "manifest": "own", "expr": "a", "attributes": {}},
        {"id": 3, "manifest": "own", "expr": '"é" | a', "attributes": {}},
    ]
    cases.write_text("\n".join(map(json.dumps, good)) + "\n\nno case\n" + '{"id": 4, "expr": "1"}')
    result = proa("mixer", "eval", "--batch", cases, "--manifests", manifests)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{cases}:5: no JSON")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [2, 1, 3, 4]
    assert answers[0] == {"id": 2, "type": "INT64", "value": 2, "references": ["a"]}
    assert [answer.get("error") for answer in answers] == [None, "runtime", "compile", None]


def test_a_batch_of_errors_is_answered(proa: Proa) -> None:
    result = proa("mixer", "eval", "--batch", "-", input='{"id": 1, "expr": "nobody"}\n')
    assert result.exit_code == 0
    assert json.loads(result.stdout)["error"] == "compile"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["1", "--batch", "x"],
        ["--batch", "x", "--attributes", "y"],
        ["--batch", "x", "--manifest", "y"],
        ["1", "--manifests", "x"],
    ],
)
def test_usage(proa: Proa, words: list[str]) -> None:
    assert proa("mixer", "eval", *words).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["1", "--attributes", "none"],
        ["1", "--manifest", "none"],
        ["--batch", "none"],
        ["--batch", "none", "--manifests", "none"],
    ],
)
def test_files_that_are_not_there(proa: Proa, words: list[str]) -> None:
    result = proa("mixer", "eval", *words)
    assert result.exit_code == 1
    assert "none: No such file" in result.stderr
