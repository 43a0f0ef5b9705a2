import importlib.util

import msgspec
import pytest

from proa.core.auth.grants import Grant, refusals
from proa.core.config.config import load_all
from proa.core.model.names import WorkloadId
from proa.demo.bookstore import FIRST_FILES, GATEWAY, LATER_FILES, PLACEMENTS, PROGRAMS, config_path


class _Claim(msgspec.Struct, frozen=True):
    id: WorkloadId
    node: str
    account: str
    services: tuple[str, ...]


def test_the_cast_is_the_public_samples() -> None:
    assert [program.id.name for program in PROGRAMS] == [
        "productpage-v1",
        "details-v1",
        "reviews-v1",
        "reviews-v2",
        "reviews-v3",
        "ratings-v1",
    ]
    assert {program.account for program in PROGRAMS if program.service == "reviews"} == {"bookinfo-reviews"}
    assert dict(PROGRAMS[4].labels) == {"app": "reviews", "version": "v3"}


def test_every_command_names_a_program_that_exists() -> None:
    for program in PROGRAMS:
        python, flag, module, *rest = program.command("python3")
        assert (python, flag, rest) == ("python3", "-m", ["--version", program.version])
        assert importlib.util.find_spec(module) is not None


def test_every_program_may_be_what_it_is_and_nobody_else() -> None:
    grant = Grant(node="here", placements=PLACEMENTS)
    for program in PROGRAMS:
        claim = _claim(program.id, program.account, program.service)
        assert refusals(grant, claim) == ()
    assert refusals(grant, _claim(GATEWAY.id, GATEWAY.account)) == ()
    assert refusals(grant, _claim(PROGRAMS[0].id, "bookinfo-ratings", "productpage"))


def _claim(workload: WorkloadId, account: str, *services: str) -> _Claim:
    return _Claim(id=workload, node="here", account=account, services=services)


@pytest.mark.parametrize("file", [*FIRST_FILES, *LATER_FILES])
def test_every_file_is_in_the_package_and_valid(file: str) -> None:
    loaded = load_all(config_path(file).read_text(encoding="utf-8"), file)
    assert loaded.problems == ()
    assert loaded.configs


def test_no_file_is_forgotten() -> None:
    there = {path.name for path in config_path(".").glob("*.yaml")}
    assert there == {*FIRST_FILES, *LATER_FILES}
