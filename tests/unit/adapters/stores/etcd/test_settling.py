"""An answer that is lost on its way: what was done is found done, and nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web

from proa.adapters.stores.etcd import open_etcd_stores, parse_store_address
from proa.core.auth.tokens import TokenRecord
from proa.ports.config_store import ConfigStore
from tests.contracts.authority_store import ISSUED, PATIENCE, SECRET, TOKEN
from tests.contracts.config_store import A, B, applied, change, put
from tests.etcd_process import EtcdProcess
from tests.unit.adapters.stores.etcd.conftest import Open


class Losing:
    """Stands before etcd and passes everything on; of the next `losses` transactions the answer is lost, done as they
    are."""

    def __init__(self, etcd: EtcdProcess) -> None:
        self._etcd = etcd
        self.losses = 0
        self.lost = 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession() as self._session:
                yield f"127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        url = f"http://{self._etcd.authority}{request.path}"
        if request.path == "/v3/watch":
            return web.Response(status=503)  # the stores do without
        async with self._session.post(url, data=await request.read()) as answer:
            body = await answer.read()
        if self.losses and request.path == "/v3/kv/txn":
            self.losses -= 1
            self.lost += 1
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=answer.status, body=body, content_type="application/json")


def test_a_change_whose_answer_was_lost_is_made_once(etcd: EtcdProcess, address: str) -> None:
    async def body() -> None:
        losing = Losing(etcd)
        async with asyncio.timeout(PATIENCE * 2), losing.serve() as front:
            access = msgspec.structs.replace(parse_store_address(address), endpoints=(f"http://{front}",))
            async with open_etcd_stores(access) as stores:
                await applied(stores.config, change(put(A)))
                losing.losses = 2
                result = await applied(stores.config, change(put(B), expected=1))
                assert (result.version, losing.lost) == (2, 2)
                assert [each.version for each in await stores.config.history()] == [2, 1]

    asyncio.run(body())


def test_a_token_whose_answer_was_lost_was_used_by_its_bearer(etcd: EtcdProcess, address: str) -> None:
    async def body() -> None:
        losing = Losing(etcd)
        async with asyncio.timeout(PATIENCE * 2), losing.serve() as front:
            access = msgspec.structs.replace(parse_store_address(address), endpoints=(f"http://{front}",))
            async with open_etcd_stores(access) as stores:
                await stores.authority.put_token(TOKEN)
                losing.losses = 1
                assert isinstance(await stores.authority.redeem("t1", SECRET, "a", 5.0), TokenRecord)
                losing.losses = 1
                await stores.authority.record_issuance(ISSUED)
                assert await stores.authority.issuances() == (ISSUED,)
                assert losing.lost == 2

    asyncio.run(body())


def test_without_a_watch_changes_of_others_still_arrive(
    etcd: EtcdProcess, address: str, open_shared: Open
) -> None:
    """Now and then everybody looks, whatever he was told."""
    arrived: asyncio.Queue[int] = asyncio.Queue()

    async def read(store: ConfigStore) -> None:
        async for state in store.watch():
            arrived.put_nowait(state.version)

    async def body() -> None:
        async with asyncio.timeout(PATIENCE * 3), Losing(etcd).serve() as front, open_shared() as other:
            access = msgspec.structs.replace(parse_store_address(address), endpoints=(f"http://{front}",))
            async with open_etcd_stores(access) as stores, asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(read(stores.config))
                assert await arrived.get() == 0
                for version in range(1, 6):
                    await applied(other.config, change(put(A, f'{{"a":{version}}}')))
                    assert await arrived.get() == version
                reading.cancel()

    asyncio.run(body())
