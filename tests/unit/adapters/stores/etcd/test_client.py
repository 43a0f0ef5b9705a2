"""How etcd fails, and what the client makes of it: an answer that is lost is found out, and nothing is done twice."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proa.adapters.stores.etcd import open_etcd_stores, parse_store_address
from proa.adapters.stores.etcd.client import opened
from proa.adapters.stores.etcd.wire import Range
from proa.core.auth.tokens import TokenRecord
from proa.ports.config_store import ConfigStore
from proa.ports.failures import StorePermanent, StoreTemporary
from proa.testing.faults import paused
from tests.contracts.authority_store import ISSUED, PATIENCE, SECRET, TOKEN
from tests.contracts.config_store import A, B, applied, change, put
from tests.etcd_process import EtcdProcess, why_no_etcd
from tests.unit.adapters.stores.etcd.conftest import Open


def test_an_etcd_that_is_away_is_temporary_and_named() -> None:
    async def body() -> None:
        async with opened(parse_store_address("etcd://127.0.0.1:1")) as etcd:
            with pytest.raises(StoreTemporary, match=r"etcd at 127\.0\.0\.1:1 cannot be reached"):
                await etcd.find(Range(key="a"))
            with pytest.raises(StoreTemporary, match="cannot be reached") as failure:
                await etcd.settle("a", b"b", modified=0)
            assert "not known" not in str(failure.value), "nobody heard it: nothing was changed"

    asyncio.run(body())


def test_of_several_endpoints_one_that_answers_is_enough(etcd: EtcdProcess) -> None:
    async def body() -> None:
        access = parse_store_address(f"etcd://127.0.0.1:1,{etcd.authority}/several")
        async with opened(access) as client:
            assert await client.settle("a", b"b", modified=0)
            assert (await client.find(Range(key="a"))).values[0].value == b"b"

    asyncio.run(body())


def test_an_etcd_that_stands_still_is_temporary_and_a_change_is_not_doubled() -> None:
    """The answer to a change that was on its way is found out later, or said to be unknown."""
    if reason := why_no_etcd():
        pytest.skip(reason)

    async def body(own: EtcdProcess) -> None:
        async with open_etcd_stores(parse_store_address(own.address("still"))) as stores:
            await applied(stores.config, change(put(A)))
            with paused(own.pid):
                with pytest.raises(StoreTemporary, match="does not answer"):
                    await stores.config.state()
                with pytest.raises(StoreTemporary):
                    await stores.config.apply(change(put(A, '{"a":1}')))
            state = await stores.config.state()
            assert state.version in (1, 2)
            assert len(await stores.config.history()) == state.version

    with EtcdProcess() as own:
        asyncio.run(body(own))


def test_a_killed_etcd_comes_back_with_everything_and_watches_go_on() -> None:
    if reason := why_no_etcd():
        pytest.skip(reason)

    async def body(own: EtcdProcess) -> None:
        async with (
            asyncio.timeout(60),
            open_etcd_stores(parse_store_address(own.address("killed"))) as one,
            open_etcd_stores(parse_store_address(own.address("killed"))) as other,
        ):
            await applied(one.config, change(put(A)))
            watch = other.config.watch()
            assert (await anext(watch)).version == 1
            await asyncio.to_thread(own.kill)
            await asyncio.to_thread(own.start)
            await applied(one.config, change(put(A, '{"a":1}')))
            assert (await anext(watch)).version == 2

    with EtcdProcess() as own:
        asyncio.run(body(own))


def test_a_user_with_a_role_for_the_prefix_is_enough(tmp_path: Path) -> None:
    if reason := why_no_etcd():
        pytest.skip(reason)
    password = tmp_path / "password"
    password.write_text("hunter2\n")
    with EtcdProcess() as own:
        for words in (
            ("user", "add", "root:r"),
            ("user", "grant-role", "root", "root"),
            ("role", "add", "proa"),
            ("role", "grant-permission", "proa", "--prefix=true", "readwrite", "/mesh/"),
            ("user", "add", "proa:hunter2"),
            ("user", "grant-role", "proa", "proa"),
            ("auth", "enable"),
        ):
            own.etcdctl(*words)
        access = msgspec.structs.replace(
            parse_store_address(own.address("mesh")), user="proa", password_file=password
        )

        async def body() -> None:
            async with open_etcd_stores(access) as stores:
                watch = stores.config.watch()
                assert (await anext(watch)).version == 0
                await applied(stores.config, change(put(A)))
                assert (await anext(watch)).version == 1
            with pytest.raises(StorePermanent, match="permission denied"):
                async with open_etcd_stores(msgspec.structs.replace(access, prefix="/other/")):
                    pass
            password.write_text("wrong")
            with pytest.raises(StorePermanent, match="authentication failed"):
                async with open_etcd_stores(access):
                    pass

        asyncio.run(body())


def self_signed_for_loopback(folder: Path) -> tuple[Path, Path]:
    """Key and certificate of 127.0.0.1, good for both ends."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "etcd")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem", folder / "key.pem"


def test_tls_on_both_sides(tmp_path: Path) -> None:
    if reason := why_no_etcd():
        pytest.skip(reason)
    certificate, key = self_signed_for_loopback(tmp_path)
    with EtcdProcess((certificate, key)) as own:
        access = msgspec.structs.replace(
            parse_store_address(own.address("mesh")), ca_file=certificate, cert_file=certificate, key_file=key
        )

        async def body() -> None:
            async with open_etcd_stores(access) as stores:
                await applied(stores.config, change(put(A)))
            with pytest.raises(StoreTemporary):
                async with open_etcd_stores(msgspec.structs.replace(access, cert_file=None, key_file=None)):
                    pass

        asyncio.run(body())


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
        async with asyncio.timeout(PATIENCE), losing.serve() as front:
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
        async with asyncio.timeout(PATIENCE), losing.serve() as front:
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
        async with asyncio.timeout(PATIENCE), Losing(etcd).serve() as front, open_shared() as other:
            access = msgspec.structs.replace(parse_store_address(address), endpoints=(f"http://{front}",))
            async with open_etcd_stores(access) as stores, asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(read(stores.config))
                assert await arrived.get() == 0
                for version in range(1, 6):
                    await applied(other.config, change(put(A, f'{{"a":{version}}}')))
                    assert await arrived.get() == version
                reading.cancel()

    asyncio.run(body())
