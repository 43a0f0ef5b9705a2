import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from immutables import Map

from proa.core.auth.grants import Placement
from proa.core.config.problem import Problem
from proa.core.model.names import ObjectRef, WorkloadId
from proa.ports.config_store import HistoryEntry, ObjectResult
from proa.ports.failures import StoreTemporary
from proa.ports.store_backup import Backup
from proa.servers.admin.app import serving_admin
from proa.servers.admin.client import AdminClient, Unreachable
from proa.servers.admin.history import BackupRequest, History, HistoryQuery, RollbackRequest
from proa.servers.admin.operations import (
    ApplyOutcome,
    ApplyRequest,
    DeleteRequest,
    MeshStatus,
    ObjectQuery,
    OperationFailed,
    Problems,
    ProxyProgress,
    SourceFile,
    TokenRequest,
    WaitStatus,
)
from proa.servers.asgi import AddressTaken, bind_unix
from proa.testing.admin_operations import FixedOperations

T = TypeVar("T")
REVIEWS = ObjectRef("VirtualService", "default", "reviews")


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # pytest's own folders are too deep for a socket path on some machines
    path = tmp_path_factory.mktemp("s") / "admin"
    yield path
    assert not path.exists()


def ask(operations: FixedOperations, path: Path, call: Callable[[AdminClient], T]) -> T:
    async def run() -> T:
        async with serving_admin(operations, path):
            return await asyncio.to_thread(call, AdminClient(path))

    return asyncio.run(run())


def test_apply_travels_both_ways(short_path: Path) -> None:
    operations = FixedOperations(results=(ObjectResult(ref=REVIEWS, action="created"),), version=7)
    request = ApplyRequest(files=(SourceFile(name="a.yaml", text="kind: X"),), author="me", dry_run=True)

    outcome = ask(operations, short_path, lambda client: client.apply(request))

    assert outcome == ApplyOutcome(version=7, results=operations.results)
    assert operations.asked == [request]


def test_bad_documents_are_an_answer_and_no_exception(short_path: Path) -> None:
    problem = Problem("a.yaml", 3, "spec.hosts", "required", "hosts is missing")
    operations = FixedOperations(problems=(problem,))

    answer = ask(operations, short_path, lambda client: client.apply(ApplyRequest(files=())))

    assert answer == Problems(problems=(problem,))


def test_objects_are_narrowed_by_the_query(short_path: Path) -> None:
    operations = FixedOperations()
    query = ObjectQuery(kind="VirtualService", name="a b&c")

    assert ask(operations, short_path, lambda client: client.objects(query)).objects == ()
    assert operations.asked == [query]


def test_history_asks_for_one_object_or_for_all(short_path: Path) -> None:
    entry = HistoryEntry(
        version=3,
        author="ada",
        time=1.0,
        ref=REVIEWS,
        action="deleted",
        api_version="",
        manifest="",
        file="",
        line=0,
        before="{}",
        note="why",
    )
    operations = FixedOperations(past=(entry,), version=3)
    queries = [HistoryQuery(ref=REVIEWS, limit=3), HistoryQuery()]

    answers = ask(operations, short_path, lambda client: [client.history(each) for each in queries])

    assert answers == [History(version=3, entries=(entry,))] * 2
    assert operations.asked == queries


def test_rollback_and_backup_travel_both_ways(short_path: Path) -> None:
    operations = FixedOperations(version=7)
    back, copy = RollbackRequest(version=3, author="me", dry_run=True), BackupRequest(file="/x")

    outcome = ask(operations, short_path, lambda client: client.rollback(back))
    made = ask(operations, short_path, lambda client: client.backup(copy))

    assert outcome == ApplyOutcome(version=7, results=())
    assert made == Backup(file="/x", version=7, size=4096, time=0.0)
    assert operations.asked == [back, copy]


def test_delete_names_objects(short_path: Path) -> None:
    outcome = ask(FixedOperations(), short_path, lambda client: client.delete(DeleteRequest(refs=(REVIEWS,))))

    assert outcome.results == (ObjectResult(ref=REVIEWS, action="absent"),)


def test_maps_survive_the_wire(short_path: Path) -> None:
    status = MeshStatus(
        version="1", pid=2, started=3.5, ready=False, trust_domain="td", addresses=Map(xds="127.0.0.1:1")
    )

    assert ask(FixedOperations(mesh_status=status), short_path, lambda client: client.status()) == status


def test_wait_streams_until_done(short_path: Path) -> None:
    proxy = WorkloadId("default", "reviews-v1")
    statuses = (
        WaitStatus(version=2, done=False, proxies=(ProxyProgress(id=proxy, state="pending"),)),
        WaitStatus(version=2, done=True, proxies=(ProxyProgress(id=proxy, state="live"),)),
    )

    seen = ask(FixedOperations(statuses=statuses), short_path, lambda client: tuple(client.wait(2, 30)))

    assert seen == statuses


def test_wait_ends_at_its_time_limit_without_done(short_path: Path) -> None:
    statuses = (WaitStatus(version=2, done=False),)

    seen = ask(FixedOperations(statuses=statuses), short_path, lambda client: tuple(client.wait(2, 0.05)))

    assert seen == statuses


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda client: client.proxy_config(WorkloadId("a", "b")), "no workload a/b; `proa proxy status`"),
        (lambda client: client.mint_token(TokenRequest(node="n")), "without --allow"),
        (lambda client: client._get("/v2/unknown", MeshStatus), "has no GET /v2/unknown"),
        (lambda client: tuple(client.wait("soon", 1)), "are numbers"),
        (lambda client: client.history(HistoryQuery(limit=0)), "limit is from 1"),
        (lambda client: client._get("/v1/history?limit=all", History), "limit is a number"),
        (lambda client: client._get("/v1/history?kind=Gateway", History), "kind, namespace and name"),
        (lambda client: client.rollback(RollbackRequest(version=9)), "there is no version 9"),
        (lambda client: client._call("POST", "/v1/apply", b'{"files": 3}'), r"Expected `array`.*\$.files"),
    ],
)
def test_failures_are_sentences(short_path: Path, call: Callable[[AdminClient], object], words: str) -> None:
    with pytest.raises(OperationFailed, match=words):
        ask(FixedOperations(), short_path, call)


def test_a_store_that_is_down_is_temporary(short_path: Path) -> None:
    class Down(FixedOperations):
        async def status(self) -> MeshStatus:
            raise StoreTemporary("the store is locked; try again")

    with pytest.raises(OperationFailed, match="locked; try again"):
        ask(Down(), short_path, lambda client: client.status())


def test_token_is_handed_on(short_path: Path) -> None:
    request = TokenRequest(node="n", placements=(Placement(namespace="default"),))

    minted = ask(FixedOperations(), short_path, lambda client: client.mint_token(request))

    assert (minted.node, minted.placements) == ("n", request.placements)


def test_only_the_owner_can_open_the_socket(short_path: Path) -> None:
    async def mode() -> int:
        async with serving_admin(FixedOperations(), short_path):
            return await asyncio.to_thread(lambda: short_path.stat().st_mode & 0o777)

    assert asyncio.run(mode()) == 0o600


def test_a_second_server_is_refused_and_a_dead_ones_socket_replaced(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(short_path))

    async def second() -> None:
        async with serving_admin(FixedOperations(), short_path):
            with pytest.raises(AddressTaken):
                await asyncio.to_thread(bind_unix, short_path)

    asyncio.run(second())


def test_nobody_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        AdminClient(tmp_path / "none").status()


def test_shutdown_does_not_wait_for_a_waiter(short_path: Path) -> None:
    """A stuck proxy must not keep the control plane from ending."""

    class Stuck(FixedOperations):
        async def wait(self, version: int) -> AsyncIterator[WaitStatus]:
            asked.set()
            async for status in super().wait(version):
                yield status

    async def run() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            async with serving_admin(Stuck(), short_path):
                waiting = tasks.create_task(asyncio.to_thread(_drain, AdminClient(short_path)))
                await asked.wait()
            await waiting

    asked = asyncio.Event()
    asyncio.run(run())


def _drain(client: AdminClient) -> None:
    with contextlib.suppress(Unreachable):
        for _ in client.wait(1, 600):
            pass
