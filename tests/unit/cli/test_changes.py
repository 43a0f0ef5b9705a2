"""apply, delete and diff: what they print, and with which exit code they end."""

import json
from pathlib import Path

import pytest

from proa.core.config import Problem
from proa.core.model.names import ObjectRef, WorkloadId
from proa.ports.config_store import ObjectResult, StoredObject
from proa.servers.admin.operations import (
    ApplyRequest,
    DeleteRequest,
    ObjectDiff,
    ProxyProgress,
    Rejection,
    SourceFile,
    WaitStatus,
)
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

REVIEWS = ObjectRef("VirtualService", "default", "reviews")
RATINGS = ObjectRef("VirtualService", "default", "ratings")
PAGE, SHOP = WorkloadId("default", "page"), WorkloadId("default", "shop")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text("kind: VirtualService\nmetadata: {name: reviews}\n")
    return path


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


def test_a_timeout_without_a_unit_is_a_usage_error(proa: Proa, file: Path) -> None:
    result = proa("apply", "-f", file, "--timeout", "soon")

    assert result.exit_code == 2
    assert "write 30s, 5m or 1h30m" in result.stderr


def stored(ref: ObjectRef) -> StoredObject:
    return StoredObject(
        ref=ref,
        api_version="networking.istio.io/v1",
        manifest="{}",
        file="a.yaml",
        line=1,
        version=1,
        author="me",
        time=0.0,
        created=0.0,
    )


def test_delete_by_name_asks_for_the_full_kind(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(stored=(stored(REVIEWS),))
    with serve(operations):
        result = proa("delete", "vs", "reviews", "ratings")
        ignored = proa("delete", "vs/ratings", "--ignore-not-found")

    assert result.exit_code == 1
    assert (
        result.stdout == "VirtualService/default/reviews deleted\nVirtualService/default/ratings not found\n"
    )
    assert ignored.exit_code == 0
    assert operations.asked[0].refs == (REVIEWS, RATINGS)  # type: ignore[attr-defined]


def test_delete_by_file_needs_no_valid_object(proa: Proa, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(
        "kind: VirtualService\nmetadata: {name: reviews}\nspec: {gone: 1}\n"
        "---\nkind: Gateway\nmetadata: {name: door, namespace: shop}\n"
    )
    operations = FixedOperations(stored=(stored(REVIEWS), stored(ObjectRef("Gateway", "shop", "door"))))
    with serve(operations):
        result = proa("delete", "-f", tmp_path / "old.yaml")

    assert result.exit_code == 0
    (request,) = operations.asked
    assert isinstance(request, DeleteRequest)
    assert request.refs == (REVIEWS, ObjectRef("Gateway", "shop", "door"))


def test_delete_of_nothing_is_a_usage_error(proa: Proa) -> None:
    assert proa("delete").exit_code == 2
    assert proa("delete", "vs").exit_code == 2
    assert proa("delete", "nonsense", "x").exit_code == 2


def test_diff_shows_and_tells_by_exit_code(proa: Proa, serve: Serve, file: Path) -> None:
    before, after = ({"kind": "VirtualService", "spec": {"hosts": [host]}} for host in "ab")
    changed = ObjectDiff(ref=REVIEWS, before=json.dumps(before), after=json.dumps(after))
    same = ObjectDiff(ref=RATINGS, before=json.dumps(before), after=json.dumps(before))
    with serve(FixedOperations(differences=(changed, same))):
        different = proa("diff", "-f", file)
    with serve(FixedOperations(differences=(same,))):
        equal = proa("diff", "-f", file)

    assert different.exit_code == 1
    assert different.stdout.splitlines()[:2] == [
        "--- VirtualService/default/reviews",
        "+++ VirtualService/default/reviews",
    ]
    assert {"-  - a", "+  - b"} <= set(different.stdout.splitlines())
    assert "ratings" not in different.stdout
    assert (equal.exit_code, equal.stdout) == (0, "")
