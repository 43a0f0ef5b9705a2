"""The package under examples/ as its users meet it: installed, found by its entry point, tested by its own tests."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from proa.adapters.policy_catalog import installed
from proa.core.config import read_batch
from proa.core.config.mixer.catalogue import ENTRY_POINTS
from proa.core.mixer.plan.compiling import compile_plan
from tests.mesh.asking_rules import Caller
from tests.mesh.harness import FOREVER, Mesh, app, why_no_envoy

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mixer-adapter"
PAGE = ROOT / "docs" / "adapters" / "writing-your-own.md"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has put it. Nothing is fetched: what it needs is in this environment."""
    top = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, top / "source")
    told = (
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--no-warn-conflicts",
    )
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        *told,
        "--target",
        str(top / "site"),
        str(top / "source"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return top / "site"


@pytest.fixture
def points(place: Path) -> Iterator[list[EntryPoint]]:
    """Its entry points, and itself where they lead."""
    sys.path.insert(0, str(place))
    yield [
        point
        for distribution in distributions(path=[str(place)])
        for point in distribution.entry_points
        if point.group == ENTRY_POINTS
    ]
    sys.path.remove(str(place))
    sys.modules.pop("atleast", None)


def test_an_installed_package_is_an_adapter_like_ours(points: list[EntryPoint]) -> None:
    found = installed(points)
    assert found.faults == ()
    assert found.adapters["atleast"].kind.templates == ("listentry",)
    text = (EXAMPLE / "rules.yaml").read_text()
    batch = read_batch([("rules.yaml", text)], only_in_force=False, catalogue=found.catalogue)
    assert not [problem for problem in batch.problems if problem.severity == "error"]
    compiled = compile_plan([written.config for written in batch.objects], found.catalogue)
    assert not compiled.messages
    assert list(compiled.plan.handlers) == ["recent.handler.default"]


def test_words_that_it_does_not_know_are_told(points: list[EntryPoint]) -> None:
    text = (EXAMPLE / "rules.yaml").read_text().replace("minimum:", "minimun:")
    batch = read_batch([("rules.yaml", text)], only_in_force=False, catalogue=installed(points).catalogue)
    (problem,) = [problem for problem in batch.problems if problem.severity == "error"]
    assert (problem.code, problem.path) == ("unknown-field", "spec.params.minimun")
    assert "minimum" in problem.message


def test_its_own_tests_pass(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(place), str(ROOT / "src")))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests"]
    done = subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"1[0-9] passed", done.stdout), done.stdout


@pytest.mark.mesh
def test_in_a_mesh_it_decides_what_no_list_can(place: Path) -> None:
    """`v2.10` is more than `v2.9`. The control plane finds the package where its Python does."""
    if reason := why_no_envoy():
        pytest.skip(reason)
    rules = (EXAMPLE / "rules.yaml").read_text().replace('"ratings"', '"echo"')
    rules = rules.replace('source.labels["version"]', 'request.headers["x-version"]')
    environment = {"PYTHONPATH": os.pathsep.join((str(place), str(ROOT / "src")))}
    with Mesh(env=environment) as mesh:
        mesh.run("echo", app("echo"), port="8080:auto", wait=False)
        mesh.run("caller", FOREVER, wait=False)
        mesh.until_healthy("echo", "caller")
        applied = mesh.apply(rules, check=False)
        assert applied.returncode == 0, applied.stdout + applied.stderr
        with Caller(mesh, "caller") as caller:
            said = "FAILED_PRECONDITION:recent.handler.default:version v2.8 is older than 2.9"
            assert caller.ask(x_version="v2.8") == (400, said)
            assert caller.status(x_version="v2.10") == 200


def test_the_page_tells_what_is_there() -> None:
    """Its code and its objects are those of the files, word for word."""
    blocks = re.findall(r"^```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for name in ("atleast.py", "rules.yaml"):
        assert (EXAMPLE / name).read_text() in blocks, f"{name} is another one"
