"""What every KeyStore must do. An adapter's test subclasses KeyStoreContract and says how to make one."""

import asyncio

import pytest

from proa.ports.key_store import KeyEntry, KeyStore

FIRST = KeyEntry(
    key_pem="-----BEGIN PRIVATE KEY-----\nZmlyc3Q=\n-----END PRIVATE KEY-----\n",
    chain_pem="-----BEGIN CERTIFICATE-----\nZmlyc3Q=\n-----END CERTIFICATE-----\n",
)
SECOND = KeyEntry(
    key_pem="-----BEGIN PRIVATE KEY-----\nc2Vjb25k\n-----END PRIVATE KEY-----\n",
    chain_pem="-----BEGIN CERTIFICATE-----\nc2Vjb25k\n-----END CERTIFICATE-----\n" * 2,
)


class KeyStoreContract:
    """Subclasses give the fixture `store`."""

    def test_an_empty_store_has_nothing(self, store: KeyStore) -> None:
        async def body() -> None:
            assert await store.load("root") is None
            assert await store.names() == ()
            assert not await store.remove("root")

        asyncio.run(body())

    def test_what_is_kept_reads_back(self, store: KeyStore) -> None:
        async def body() -> None:
            assert await store.create("root", FIRST) == FIRST
            await store.replace("default/reviews-v1", SECOND)
            assert await store.load("root") == FIRST
            assert await store.load("default/reviews-v1") == SECOND
            assert await store.names() == ("default/reviews-v1", "root")

        asyncio.run(body())

    def test_a_note_stays_with_its_entry(self, store: KeyStore) -> None:
        async def body() -> None:
            noted = KeyEntry(key_pem=FIRST.key_pem, chain_pem=FIRST.chain_pem, note='{"since": 1.5}')
            assert await store.create("root", noted) == noted
            assert await store.load("root") == noted
            await store.replace("root", FIRST)
            assert await store.load("root") == FIRST

        asyncio.run(body())

    def test_the_first_to_create_wins(self, store: KeyStore) -> None:
        async def body() -> None:
            async with asyncio.TaskGroup() as tasks:
                made = [tasks.create_task(store.create("root", each)) for each in (FIRST, SECOND)]
            kept = await store.load("root")
            assert [each.result() for each in made] == [kept, kept]
            assert await store.create("root", SECOND) == kept

        asyncio.run(body())

    def test_replace_replaces_and_remove_removes(self, store: KeyStore) -> None:
        async def body() -> None:
            await store.replace("root", FIRST)
            await store.replace("root", SECOND)
            assert await store.load("root") == SECOND
            assert await store.remove("root")
            assert await store.load("root") is None
            assert await store.create("root", FIRST) == FIRST

        asyncio.run(body())

    @pytest.mark.parametrize(
        "name", ["", "/etc/passwd", "../root", "a//b", ".hidden", "a/../b", "a b", "a\n"]
    )
    def test_what_is_no_name_is_refused(self, store: KeyStore, name: str) -> None:
        async def body() -> None:
            with pytest.raises(ValueError, match="is no name of a key"):
                await store.load(name)
            with pytest.raises(ValueError, match="is no name of a key"):
                await store.create(name, FIRST)

        asyncio.run(body())
