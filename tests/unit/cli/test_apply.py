from pathlib import Path

from proa.core.config import Problem
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.notes import Note
from proa.ports.config_store import ObjectResult
from proa.servers.admin.operations import ApplyRequest, ProxyProgress, Rejection, SourceFile, WaitStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

REVIEWS = ObjectRef("VirtualService", "default", "reviews")
RATINGS = ObjectRef("VirtualService", "default", "ratings")
PEOPLE = ObjectRef("RequestAuthentication", "default", "people")
PAGE, SHOP = WorkloadId("default", "page"), WorkloadId("default", "shop")


def progress(*states: tuple[WorkloadId, str], done: bool) -> WaitStatus:
    proxies = tuple(
        ProxyProgress(
            id=proxy,
            state=state,  # type: ignore[arg-type]
            problems=(Rejection(objects=(REVIEWS,), resource="8080", type="ROUTE", error="no such cluster"),)
            if state == "rejected"
            else (),
        )
        for proxy, state in states
    )
    return WaitStatus(version=1, done=done, proxies=proxies)


def test_apply_says_what_became_of_each_object(proa: Proa, serve: Serve, file: Path) -> None:
    operations = FixedOperations(
        results=(ObjectResult(ref=REVIEWS, action="changed"), ObjectResult(ref=RATINGS, action="unchanged"))
    )
    with serve(operations):
        result = proa("apply", "-f", file, "-n", "shop", "--dry-run")

    assert result.exit_code == 0
    assert result.stdout == (
        "VirtualService/default/reviews configured (dry run)\n"
        "VirtualService/default/ratings unchanged (dry run)\n"
    )
    (request,) = operations.asked
    assert isinstance(request, ApplyRequest)
    assert request.files == (SourceFile(name=str(file), text=file.read_text()),)
    assert (request.namespace, request.dry_run, bool(request.author)) == ("shop", True, True)


def test_apply_of_bad_documents_prints_all_and_applies_nothing(proa: Proa, serve: Serve, file: Path) -> None:
    problems = (
        Problem("routes.yaml", 2, "metadata", "wrong-type", "expected an object"),
        Problem("routes.yaml", 9, "spec.hosts", "required", "hosts is missing"),
    )
    with serve(FixedOperations(problems=problems)):
        result = proa("apply", "-f", file)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "routes.yaml:2: metadata: expected an object [wrong-type]\n"
        "routes.yaml:9: spec.hosts: hosts is missing [required]\n"
        "nothing was applied\n"
    )


def test_apply_wait_ends_when_all_proxies_have_it(proa: Proa, serve: Serve, file: Path) -> None:
    statuses = (
        progress((PAGE, "pending"), (SHOP, "live"), done=False),
        progress((PAGE, "live"), (SHOP, "live"), done=True),
    )
    with serve(FixedOperations(statuses=statuses)):
        result = proa("apply", "-f", file, "--wait")

    assert result.exit_code == 0
    assert result.stderr == "live on 1 of 2 proxies; waiting for default/page\nlive on 2 of 2 proxies\n"
    assert result.stdout.startswith("live on 2 proxies after ")


def test_apply_wait_names_object_proxy_and_reason_of_a_rejection(
    proa: Proa, serve: Serve, file: Path
) -> None:
    with serve(FixedOperations(statuses=(progress((PAGE, "rejected"), (SHOP, "live"), done=True),))):
        result = proa("apply", "-f", file, "--wait")

    assert result.exit_code == 1
    reason = "VirtualService/default/reviews: rejected by default/page: no such cluster [ROUTE 8080]"
    assert reason in result.stderr
    assert "rejected by 1 proxy: default/page" in result.stderr


def test_apply_wait_names_who_is_late(proa: Proa, serve: Serve, file: Path) -> None:
    with serve(FixedOperations(statuses=(progress((PAGE, "pending"), done=False),))):
        result = proa("apply", "-f", file, "--wait", "--timeout", "50ms")

    assert result.exit_code == 1
    assert "not live everywhere after 0.05 s; still pending: default/page" in result.stderr


def test_apply_wait_without_proxies_is_fine(proa: Proa, serve: Serve, file: Path) -> None:
    with serve(FixedOperations(statuses=(WaitStatus(version=1, done=True),))):
        result = proa("apply", "-f", file, "--wait")

    assert (result.exit_code, "no proxy is connected" in result.stdout) == (0, True)


def test_who_waits_is_told_of_keys_that_are_missing_afterwards(proa: Proa, serve: Serve, file: Path) -> None:
    awaited = Note(code="token-keys-awaited", about=PEOPLE, message="not fetched yet")
    useless = Note(code="token-keys-missing", about=PEOPLE, message="no key is good")
    done = WaitStatus(version=1, done=True, remarks=("the keys of https://a/keys cannot be fetched",))
    operations = FixedOperations(statuses=(done,), notes=(awaited, useless))
    with serve(operations):
        waited = proa("apply", "-f", file, "--wait")
        told = proa("apply", "-f", file)

    note = f"note: {PEOPLE}: no key is good [token-keys-missing]\n"
    assert waited.stderr == (
        f"{note}live on 0 of 0 proxies\nnote: the keys of https://a/keys cannot be fetched\n"
    )
    assert told.stderr == f"note: {PEOPLE}: not fetched yet [token-keys-awaited]\n{note}"


def test_a_timeout_without_a_unit_is_a_usage_error(proa: Proa, file: Path) -> None:
    result = proa("apply", "-f", file, "--timeout", "soon")

    assert result.exit_code == 2
    assert "write 30s, 5m or 1h30m" in result.stderr
