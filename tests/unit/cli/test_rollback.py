from proa.core.config.problem import Problem
from proa.core.model.names import ObjectRef
from proa.ports.config_store import ObjectResult
from proa.servers.admin.history import RollbackRequest
from proa.servers.admin.operations import WaitStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

REVIEWS = ObjectRef("VirtualService", "default", "reviews")
CHANGED = ObjectResult(ref=REVIEWS, action="changed")


def test_it_says_what_changed_and_which_version_it_is_now(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(results=(CHANGED,), version=9, statuses=(WaitStatus(version=9, done=True),))
    with serve(operations):
        result = proa("rollback", "3", "--wait")

    assert result.exit_code == 0
    (request,) = operations.asked
    assert isinstance(request, RollbackRequest)
    assert (request.version, request.dry_run, bool(request.author)) == (3, False, True)
    assert f"{REVIEWS} configured" in result.stdout
    assert "rolled back to version 3, as version 9" in result.stdout
    assert "no proxy is connected" in result.stdout


def test_a_dry_run_waits_for_nothing(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(results=(CHANGED,), version=9)):
        result = proa("rollback", "3", "--wait", "--dry-run")

    assert (result.exit_code, result.stdout) == (0, f"{REVIEWS} configured (dry run)\n")


def test_no_difference_is_said(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(version=9)):
        result = proa("rollback", "9")

    assert result.exit_code == 0
    assert "as it was at version 9; nothing to change" in result.stdout


def test_problems_change_nothing(proa: Proa, serve: Serve) -> None:
    problem = Problem("a.yaml", 3, "spec.hosts", "required", "hosts is missing")
    with serve(FixedOperations(problems=(problem,), version=9)):
        result = proa("rollback", "3")

    assert result.exit_code == 1
    assert "a.yaml:3" in result.stderr
    assert "nothing was rolled back" in result.stderr


def test_a_version_that_never_was(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(version=9)):
        result = proa("rollback", "10")

    assert result.exit_code == 1
    assert "there is no version 10" in result.stderr
