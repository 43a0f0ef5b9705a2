"""The contract of every KeptKeys, and that control planes hear of each other's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from proa.adapters.stores.etcd import open_etcd_stores, parse_store_address
from proa.adapters.stores.etcd.token_keys import TOKEN_KEYS
from proa.ports.token_keys import KeptKeys
from tests.contracts.kept_keys import FIRST, LATER, ONE, OTHER, KeptKeysContract, Opened
from tests.etcd_process import EtcdProcess, why_no_etcd
from tests.unit.adapters.stores.etcd.conftest import Open


class TestEtcdTokenKeys(KeptKeysContract):
    @pytest.fixture
    def open_kept_keys(self, open_shared: Open) -> Callable[[], Opened]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[KeptKeys]:
            async with open_shared() as stores:
                yield stores.token_keys

        return opened


def test_others_hear_of_it_and_of_nothing_that_is_damaged(
    open_shared: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        async with (
            asyncio.timeout(20),
            open_shared() as one,
            open_shared() as other,
            aclosing(other.token_keys.watch()) as watch,
        ):
            assert dict(await anext(watch)) == {}
            await one.token_keys.keep(ONE, FIRST)
            assert dict(await anext(watch)) == {ONE: FIRST}
            await one.token_keys._etcd.put(TOKEN_KEYS + "x", b"{")
            await one.token_keys.keep(OTHER, LATER)
            while (found := dict(await anext(watch))) != {ONE: FIRST, OTHER: LATER}:
                assert found == {ONE: FIRST}
            assert f"{TOKEN_KEYS}x in the store is not read" in caplog.text
            await one.token_keys.forget(ONE)
            assert dict(await anext(watch)) == {OTHER: LATER}

    asyncio.run(body())


def test_an_etcd_that_is_away_costs_a_fetch_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    if reason := why_no_etcd():
        pytest.skip(reason)

    async def body() -> None:
        with EtcdProcess() as etcd:
            async with (
                asyncio.timeout(60),
                open_etcd_stores(parse_store_address(etcd.address("a"))) as stores,
            ):
                etcd.kill()
                await stores.token_keys.keep(ONE, FIRST)
                await stores.token_keys.forget(ONE)
                assert dict(await stores.token_keys.load()) == {}
        assert "are not kept for the other control planes" in caplog.text

    asyncio.run(body())
