"""The contract of every KeyStore, and what is Kubernetes' own: versions, rights, answers that are lost."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.adapters.key_stores.kubernetes import KubernetesKeyStore, SecretAccess
from proa.adapters.key_stores.kubernetes import store as module
from proa.ports.failures import StorePermanent, StoreTemporary
from proa.ports.key_store import KeyEntry, checked_name
from tests.contracts.key_store import FIRST, SECOND, KeyStoreContract
from tests.unit.adapters.key_stores.kubernetes.api_server import ApiServer, api_server


class TestKubernetesKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KubernetesKeyStore]:
        """Its server has a loop of its own: each test of the contract has another."""
        ready, stop = threading.Event(), asyncio.Event()
        told: list[tuple[asyncio.AbstractEventLoop, SecretAccess]] = []

        async def main() -> None:
            async with api_server(tmp_path, ApiServer()) as access:
                told.append((asyncio.get_running_loop(), access))
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        try:
            assert ready.wait(30)
            yield KubernetesKeyStore(told[0][1])
        finally:
            told[0][0].call_soon_threadsafe(stop.set)
            thread.join()


Body = Callable[[ApiServer, KubernetesKeyStore, SecretAccess], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Body], None]:
    monkeypatch.setattr(module, "RETRY_S", 0.01)

    def run(body: Body) -> None:
        async def opened() -> None:
            server = ApiServer()
            async with asyncio.timeout(60), api_server(tmp_path, server) as access:
                await body(server, KubernetesKeyStore(access), access)

        asyncio.run(opened())

    return run


def test_get_and_update_of_one_secret_are_enough(run: Callable[[Body], None]) -> None:
    async def body(server: ApiServer, store: KubernetesKeyStore, access: SecretAccess) -> None:
        server.make_empty("proa-ca")
        server.may = {"get", "update"}
        assert await store.create("root", FIRST) == FIRST
        await store.replace("root", SECOND)
        assert await KubernetesKeyStore(access).load("root") == SECOND
        assert await store.remove("root")
        assert set(server.verbs) == {"get", "update"}
        assert server.secrets["proa-ca"]["metadata"]["annotations"] == {"owner": "ann"}

    run(body)


def test_of_many_at_once_none_is_lost(run: Callable[[Body], None]) -> None:
    async def body(server: ApiServer, store: KubernetesKeyStore, access: SecretAccess) -> None:
        names = [f"intermediate-{number}" for number in range(2, 7)]
        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(KubernetesKeyStore(access).replace(name, FIRST))
        assert await store.names() == tuple(names)

    run(body)


def test_a_lost_answer_is_found_out(run: Callable[[Body], None]) -> None:
    async def body(server: ApiServer, store: KubernetesKeyStore, _access: SecretAccess) -> None:
        server.lost = 1
        assert await store.create("root", FIRST) == FIRST
        server.lost = 1
        await store.replace("root", SECOND)
        assert server.lost == 0
        assert await store.load("root") == SECOND
        server.lost = 1
        assert await store.remove("root")
        assert await store.names() == ()
        assert server.written == ["create", "update", "update"], "nothing was written twice"

    run(body)


def test_an_api_server_that_is_away_is_a_failure_for_a_while(
    run: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.05)

    async def body(server: ApiServer, store: KubernetesKeyStore, access: SecretAccess) -> None:
        server.status = 503
        with pytest.raises(StoreTemporary, match="currently unable"):
            await store.load("root")
        with pytest.raises(StoreTemporary, match="it is not known whether"):
            await store.create("root", FIRST)
        nobody = KubernetesKeyStore(msgspec.structs.replace(access, server="https://localhost:1"))
        with pytest.raises(StoreTemporary, match="cannot be reached"):
            await nobody.create("root", FIRST)

    run(body)


def test_what_somebody_must_change_first(run: Callable[[Body], None], tmp_path: Path) -> None:
    async def body(server: ApiServer, store: KubernetesKeyStore, access: SecretAccess) -> None:
        server.may = {"get"}
        with pytest.raises(StorePermanent, match="cannot create"):
            await store.create("root", FIRST)
        server.may = set()
        with pytest.raises(StorePermanent, match="cannot get"):
            await store.names()
        server.may = {"get", "create", "update"}
        large = KeyEntry(key_pem=FIRST.key_pem, chain_pem="x" * (1 << 20))
        with pytest.raises(StorePermanent, match="no more than 1 MiB"):
            await store.create("root", large)
        elsewhere = KubernetesKeyStore(msgspec.structs.replace(access, namespace="x"))
        with pytest.raises(StorePermanent, match='namespaces "x" not found'):
            await elsewhere.create("root", FIRST)
        access.token_file.write_text("another")
        with pytest.raises(StorePermanent, match="Unauthorized"):
            await store.load("root")
        access.token_file.unlink()
        with pytest.raises(StorePermanent, match="token cannot be used"):
            await store.load("root")

    run(body)


def test_a_stranger_with_another_certificate_is_not_the_api_server(
    run: Callable[[Body], None], tmp_path: Path
) -> None:
    async def body(server: ApiServer, store: KubernetesKeyStore, access: SecretAccess) -> None:
        await store.create("root", FIRST)
        before = len(server.verbs)
        (tmp_path / "other").mkdir()
        async with api_server(tmp_path / "other", ApiServer()) as stranger:
            lured = KubernetesKeyStore(msgspec.structs.replace(access, server=stranger.server))
            with pytest.raises(StoreTemporary, match="cannot be reached"):
                await lured.load("root")
        assert len(server.verbs) == before

    run(body)


def test_secrets_that_are_not_ours(run: Callable[[Body], None]) -> None:
    async def body(server: ApiServer, store: KubernetesKeyStore, _access: SecretAccess) -> None:
        server.make_empty("proa-ca")
        server.secrets["proa-ca"]["data"] = {"root": "bm90IGpzb24="}
        with pytest.raises(StorePermanent, match="entry 'root' is no key of ours"):
            await store.load("root")
        server.secrets["proa-ca"]["immutable"] = True
        with pytest.raises(StorePermanent, match="is immutable"):
            await store.names()

    run(body)


def test_keys_move_in_once_and_whole(run: Callable[[Body], None]) -> None:
    async def body(server: ApiServer, store: KubernetesKeyStore, _access: SecretAccess) -> None:
        assert await store.adopt({"root": FIRST, "intermediate": SECOND})
        assert await store.load("intermediate") == SECOND
        assert [verb for verb in server.verbs if verb != "get"] == ["create"]
        assert not await store.adopt({"root": SECOND})
        assert await store.load("root") == FIRST

    run(body)


NAMES = st.from_regex(
    r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,5}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,5}){0,2}", fullmatch=True
)


@given(NAMES)
def test_each_name_has_a_key_of_its_own(name: str) -> None:
    key = module._key_of(checked_name(name))
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert module._name_of(key) == name
