"""The contract of every AuthorityStore, and that two control planes never take one token twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from proa.core.auth.tokens import TokenRecord
from proa.ports.authority_store import AuthorityStore
from tests.contracts.authority_store import (
    ISSUED,
    PATIENCE,
    SECRET,
    TOKEN,
    AuthorityStoreContract,
    Opened,
)
from tests.unit.adapters.stores.etcd.conftest import Open


class TestEtcdAuthorityStore(AuthorityStoreContract):
    @pytest.fixture
    def open_authority_store(self, open_shared: Open) -> Callable[[], Opened]:
        @asynccontextmanager
        async def open_authority_store() -> AsyncIterator[AuthorityStore]:
            async with open_shared() as stores:
                yield stores.authority

        return open_authority_store


def test_a_token_brought_to_two_at_once_is_taken_by_one(open_shared: Open) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), open_shared() as one, open_shared() as other:
            for number in range(60):
                token = msgspec.structs.replace(TOKEN, id=f"t{number}")
                await one.authority.put_token(token)
                async with asyncio.TaskGroup() as tasks:
                    tried = [
                        tasks.create_task(store.authority.redeem(token.id, SECRET, "a", 5.0))
                        for store in (one, other, one, other)
                    ]
                taken = [each for each in tried if isinstance(each.result(), TokenRecord)]
                assert len(taken) == 1

    asyncio.run(body())


def test_a_grant_made_at_one_is_heard_at_the_other(open_shared: Open) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), open_shared() as one, open_shared() as other:
            grants = other.authority.watch_grants()
            assert await anext(grants) == ()
            await one.authority.put_grant(TOKEN.grant)
            assert await anext(grants) == (TOKEN.grant,)
            assert await other.authority.grant_of("a") == TOKEN.grant

    asyncio.run(body())


def test_both_write_one_audit(open_shared: Open) -> None:
    async def body() -> None:
        async with asyncio.timeout(PATIENCE), open_shared() as one, open_shared() as other:
            for number in range(1, 9):
                issued = msgspec.structs.replace(ISSUED, serial=f"{number:x}", time=float(number))
                await (one if number % 2 else other).authority.record_issuance(issued)
            assert [each.serial for each in await one.authority.issuances()] == list("87654321")
            assert [each.serial for each in await other.authority.issuances(limit=3)] == list("876")

    asyncio.run(body())
