"""Over a real store and a real world, without proxies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite import Stores, open_stores
from proa.control_plane.configuration import Configuration
from proa.control_plane.configuration_operations import ROLLBACK_TRIES, ConfigurationOperations
from proa.control_plane.world import World
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind, Catalogue
from proa.core.config.mixer.parameters import Noop
from proa.core.model.names import ObjectRef
from proa.core.model.settings import MeshSettings
from proa.ports.config_store import Applied, ConfigStore, Conflict, Put, StoreState, Transaction
from proa.servers.admin.history import BackupRequest, HistoryQuery, RollbackRequest
from proa.servers.admin.operations import (
    ApplyOutcome,
    ApplyRequest,
    DeleteRequest,
    NotFound,
    ObjectQuery,
    Problems,
    Refused,
    SourceFile,
)

A, B = (ObjectRef("VirtualService", "default", name) for name in "ab")


class Opened:
    def __init__(self, operations: ConfigurationOperations, stores: Stores) -> None:
        self.operations = operations
        self.stores = stores

    async def apply(self, *names: str, timeout: str = "1s") -> ApplyOutcome:
        text = "---".join(
            f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec: {{hosts: [{name}], http: [{{timeout: {timeout}, route: [{{destination: {{host: {name}}}}}]}}]}}
"""
            for name in names
        )
        outcome = await self.operations.apply(
            ApplyRequest(files=(SourceFile(name="f.yaml", text=text),), author="ada")
        )
        assert isinstance(outcome, ApplyOutcome)
        return outcome

    async def rollback(self, version: int, *, dry_run: bool = False) -> ApplyOutcome | Problems:
        return await self.operations.rollback(RollbackRequest(version=version, author="bob", dry_run=dry_run))

    async def manifests(self) -> dict[ObjectRef, str]:
        found = await self.operations.objects(ObjectQuery())
        return {each.ref: each.manifest for each in found.objects}


@asynccontextmanager
async def opened(
    path: Path,
    wrapped: Callable[[ConfigStore], ConfigStore] = lambda store: store,
    catalogue: Catalogue = BUILT_IN,
) -> AsyncIterator[Opened]:
    async with open_stores(path) as stores, asyncio.TaskGroup() as tasks:
        world = World(MeshSettings(), clock=lambda: 0.0)
        configuration = Configuration(world, lambda _policies: None, catalogue)
        ticks = count(1)
        running = [
            tasks.create_task(world.run()),
            tasks.create_task(configuration.follow_store(stores.config)),
        ]
        await configuration.until_synced({"store"})
        operations = ConfigurationOperations(
            world=world,
            configuration=configuration,
            store=wrapped(stores.config),
            backups=stores.backups,
            clock=lambda: float(next(ticks)),
        )
        yield Opened(operations, stores)
        for each in running:
            each.cancel()


def run(path: Path, body: Callable[[Opened], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), opened(path / "store.db") as mesh:
            await body(mesh)

    asyncio.run(main())


def test_a_rollback_is_a_new_version_that_says_what_it_is(tmp_path: Path) -> None:
    async def body(mesh: Opened) -> None:
        await mesh.apply("a")
        good = await mesh.manifests()
        await mesh.apply("a", "b", timeout="9s")
        outcome = await mesh.rollback(1)

        assert isinstance(outcome, ApplyOutcome)
        assert outcome.version == 3
        assert [(each.ref, each.action) for each in outcome.results] == [(A, "changed"), (B, "deleted")]
        assert await mesh.manifests() == good
        history = await mesh.operations.history(HistoryQuery(limit=1))
        assert history.version == 3
        assert [(each.version, each.author, each.note, each.ref) for each in history.entries] == [
            (3, "bob", "rollback to version 1", A),
            (3, "bob", "rollback to version 1", B),
        ]
        assert history.entries[0].manifest == good[A]

    run(tmp_path, body)


def test_a_rollback_can_be_rolled_back_and_zero_is_nothing(tmp_path: Path) -> None:
    async def body(mesh: Opened) -> None:
        await mesh.apply("a", "b")
        before = await mesh.manifests()
        await mesh.rollback(0)
        assert await mesh.manifests() == {}
        await mesh.rollback(1)
        assert await mesh.manifests() == before

    run(tmp_path, body)


def test_a_dry_run_and_no_difference_change_nothing(tmp_path: Path) -> None:
    async def body(mesh: Opened) -> None:
        await mesh.apply("a")
        foretold = await mesh.rollback(0, dry_run=True)
        assert isinstance(foretold, ApplyOutcome)
        assert (foretold.version, [each.action for each in foretold.results]) == (1, ["deleted"])
        assert await mesh.rollback(1) == ApplyOutcome(version=1, results=())
        assert set(await mesh.manifests()) == {A}

    run(tmp_path, body)


def test_a_version_that_never_was_is_not_found(tmp_path: Path) -> None:
    async def body(mesh: Opened) -> None:
        for version in (1, -1):
            with pytest.raises(NotFound, match=f"no version {version}: the newest is 0"):
                await mesh.rollback(version)

    run(tmp_path, body)


def test_what_this_program_refuses_keeps_everything_as_it_is(tmp_path: Path) -> None:
    async def body(mesh: Opened) -> None:
        older = '{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"b"},"spec":{}}'
        put = Put(ref=B, api_version="networking.istio.io/v1", manifest=older, file="b.yaml", line=2)
        await mesh.apply("a")
        await mesh.stores.config.apply(Transaction(changes=(put,), author="an older program", time=1.0))
        await mesh.operations.delete(DeleteRequest(refs=(A, B)))

        answer = await mesh.rollback(2)

        assert isinstance(answer, Problems)
        assert {(each.file, each.line) for each in answer.problems} == {("b.yaml", 2)}
        assert await mesh.manifests() == {}
        assert (await mesh.stores.config.state()).version == 3

    run(tmp_path, body)


class Contended:
    """A store that somebody else always writes to first, so many times."""

    def __init__(self, store: ConfigStore, times: int) -> None:
        self._store = store
        self._left = times
        self.watch, self.history = store.watch, store.history
        self.state, self.state_at = store.state, store.state_at

    async def apply(self, transaction: Transaction) -> Applied | Conflict:
        if transaction.expected_version is not None and self._left:
            self._left -= 1
            put = Put(ref=B, api_version="v1", manifest=f'{{"theirs":{self._left}}}')
            await self._store.apply(Transaction(changes=(put,), author="them", time=0.0))
        return await self._store.apply(transaction)


@pytest.mark.parametrize("times", [1, ROLLBACK_TRIES])
def test_a_change_in_between_is_seen(tmp_path: Path, times: int) -> None:
    async def main() -> StoreState:
        path = tmp_path / "store.db"
        async with asyncio.timeout(60), opened(path, lambda store: Contended(store, times)) as mesh:
            await mesh.apply("a")
            if times < ROLLBACK_TRIES:
                await mesh.rollback(0)
            else:
                with pytest.raises(Refused, match="others kept changing"):
                    await mesh.rollback(0)
            return await mesh.stores.config.state()

    state = asyncio.run(main())
    assert set(state.objects) == (set() if times < ROLLBACK_TRIES else {A, B})


def test_a_backup_is_told_and_its_refusal_raised(tmp_path: Path) -> None:
    async def body(mesh: Opened) -> None:
        await mesh.apply("a")
        made = await mesh.operations.backup(BackupRequest(file=str(tmp_path / "copy")))
        assert (made.version, made.file) == (1, str(tmp_path / "copy"))
        with pytest.raises(Refused, match="no absolute path"):
            await mesh.operations.backup(BackupRequest(file="copy"))

    run(tmp_path, body)


OLD = """
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: %s}
spec: {destination: {name: c}, precedence: %s, route: [{labels: {version: v1}}]}
"""


def test_old_objects_are_stored_and_what_they_become_is_shown(tmp_path: Path) -> None:
    async def body(mesh: Opened) -> None:
        apply, objects = mesh.operations.apply, mesh.operations.objects
        outcome = await apply(ApplyRequest(files=(SourceFile(name="a", text=OLD % ("a", 2)),), author="ada"))
        assert isinstance(outcome, ApplyOutcome)
        assert [str(each.ref) for each in (await objects(ObjectQuery())).objects] == ["RouteRule/default/a"]
        (shown,) = (await objects(ObjectQuery(kind="VirtualService"))).objects
        assert (shown.ref.name, shown.author) == ("c", "converted from RouteRule/default/a")
        assert (shown.file, shown.line) == ("a", 2)
        with pytest.raises(Refused, match="delete that"):
            await mesh.operations.delete(DeleteRequest(refs=(shown.ref,), author="ada"))
        second = await apply(ApplyRequest(files=(SourceFile(name="b", text=OLD % ("b", 1)),), author="ada"))
        assert isinstance(second, ApplyOutcome)
        (warned,) = second.warnings
        assert (warned.file, warned.line, warned.code) == ("b", 2, "no-effect")
        await mesh.operations.delete(
            DeleteRequest(refs=(ObjectRef("RouteRule", "default", "a"),), author="ada")
        )
        (shown,) = (await objects(ObjectQuery(kind="VirtualService"))).objects
        assert shown.author == "converted from RouteRule/default/b"
        await mesh.rollback(1)
        (shown,) = (await objects(ObjectQuery(kind="VirtualService"))).objects
        assert shown.author == "converted from RouteRule/default/a"

    run(tmp_path, body)


def test_objects_of_an_adapter_that_a_package_brought_are_taken_as_ours(tmp_path: Path) -> None:
    """Applied, stored, in force, and brought back; without the package nobody knows their kind."""
    kind = AdapterKind(name="greylist", templates=("listentry",), parameters=Noop)
    text = "apiVersion: config.istio.io/v1alpha2\nkind: greylist\nmetadata: {name: grey}\n"
    request = ApplyRequest(files=(SourceFile(name="f.yaml", text=text),), author="ada")
    grey = ObjectRef("greylist", "default", "grey")

    async def main() -> None:
        with_it = BUILT_IN.with_adapters([kind])
        async with asyncio.timeout(60), opened(tmp_path / "store.db", catalogue=with_it) as mesh:
            assert isinstance(await mesh.operations.apply(request), ApplyOutcome)
            await mesh.operations.delete(DeleteRequest(refs=(grey,), author="ada"))
            assert isinstance(await mesh.rollback(1), ApplyOutcome)
            assert list(await mesh.manifests()) == [grey]
        async with asyncio.timeout(60), opened(tmp_path / "other.db") as mesh:
            refused = await mesh.operations.apply(request)
            assert isinstance(refused, Problems)
            assert "greylist" in refused.problems[0].message

    asyncio.run(main())
