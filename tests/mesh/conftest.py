"""The mesh that most tests here share, and the logs of every mesh of a test that failed."""

import shutil
from collections.abc import Generator, Iterator

import pytest

from tests.mesh.harness import Mesh, app, why_no_envoy


@pytest.fixture(scope="session")
def shared_mesh() -> Iterator[Mesh]:
    """One mesh for the session. Tests take `mesh`, which also looks that they leave it as it was."""
    reason = why_no_envoy()
    if reason:
        pytest.skip(reason)
    if shutil.which("curl") is None:
        pytest.skip("needs the command curl")
    with Mesh() as mesh:
        mesh.run("caller", wait=False)
        mesh.run("echo", app("echo"), port="8080:auto", wait=False)
        mesh.until_healthy("caller", "echo")
        yield mesh


@pytest.fixture
def mesh(shared_mesh: Mesh) -> Iterator[Mesh]:
    """A mesh with `caller`, a client that serves nothing, and `echo`, tests/mesh/apps/echo.py as `echo:8080`.

    What a test adds it takes away again: `with mesh.running(...)`, `with mesh.applied(...)`.
    """
    objects = shared_mesh.objects()
    yield shared_mesh
    left = set(shared_mesh.workloads) - {"caller", "echo"}
    for name in left:
        shared_mesh.stop(name)
    assert not left, f"the test left workloads behind: {left}"
    assert shared_mesh.objects() == objects, "the test left objects behind, or took some"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A mesh that the test made itself prints its logs when its block is left by the failure."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Mesh):
                report.sections.append((f"logs of {name}", value.logs()))
    return report
