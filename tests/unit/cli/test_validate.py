import json
from pathlib import Path

import pytest

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
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: nobody
spec: {url: "https://example.com/a.wasm"}
"""


def test_a_kind_that_nothing_acts_on_is_checked_with_a_warning(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(READ_ONLY)

    result = proa("validate", "-f", tmp_path / "a.yaml")

    assert result.exit_code == 0
    assert "warning: WasmPlugin is read and checked; Proa does not act on it yet" in result.stderr


MIXER = """\
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: limits}
spec:
  compiledAdapter: memquota
  params:
    quotas:
    - name: requests.quota.default
      max_amount: -1
      valid_duraton: 1s
---
apiVersion: config.istio.io/v1alpha2
kind: listenty
metadata: {name: version}
spec: {value: "source.labels["}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {name: version}
spec: {value: "source.labels["}
---
apiVersion: config.istio.io/v1alpha2
kind: stackdriver
metadata: {name: far}
spec: {}
"""


def test_objects_of_mixer_are_read_to_the_end(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MIXER)
    result = proa("validate", "-f", tmp_path / "a.yaml")
    lines = [line.removeprefix(f"{tmp_path}/") for line in result.stderr.splitlines()]
    assert result.exit_code == 1
    assert [line.split(": ")[0] + " " + line.rsplit("[")[-1] for line in lines] == [
        "a.yaml:8 no-effect]",
        "a.yaml:9 out-of-range]",
        "a.yaml:10 unknown-field]",
        "a.yaml:13 kind-not-supported-yet]",
        "a.yaml:20 bad-value]",
        "a.yaml:23 read-only-kind]",
    ]
    assert 'did you mean "validDuration"?' in lines[2]
    assert "Google Stackdriver alone" in lines[5]


PACKAGE = """
from contextlib import asynccontextmanager
from proa.core.config.mixer.catalogue import AdapterKind
from proa.core.config.mixer.parameters import Adapter
from proa.ports.policy_adapter import PolicyHandler

class Parameters(Adapter, frozen=True, kw_only=True):
    words: tuple[str, ...] = ()

class Greylist:
    kind = AdapterKind(name="greylist", templates=("listentry",), parameters=Parameters)

    @asynccontextmanager
    async def open(self, handler):
        yield PolicyHandler()
"""


def test_a_package_brings_kinds_of_handlers(
    proa: Proa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "greylist-1.dist-info").mkdir(parents=True)
    (site / "greylist_adapter.py").write_text(PACKAGE)
    (site / "greylist-1.dist-info" / "METADATA").write_text("Name: greylist\nVersion: 1\n")
    (site / "greylist-1.dist-info" / "entry_points.txt").write_text(
        "[proa.mixer_adapters]\ngreylist = greylist_adapter:Greylist\nbroken = greylist_adapter:Nothing\n"
    )
    monkeypatch.syspath_prepend(str(site))
    (tmp_path / "a.yaml").write_text(
        "apiVersion: config.istio.io/v1alpha2\nkind: greylist\nmetadata: {name: a}\nspec: {words: [b], wods: [c]}\n"
    )
    result = proa("validate", "-f", tmp_path / "a.yaml")
    assert result.exit_code == 1
    assert "adapter broken of greylist_adapter:Nothing cannot be used" in result.stderr
    assert 'there is no field "wods"; did you mean "words"?' in result.stderr
