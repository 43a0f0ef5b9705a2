"""A CA below a SPIRE server, and all that may be wrong on the way there."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import grpc
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proa.adapters.upstream_authorities.spire import SpireAccess, SpireAuthority
from proa.adapters.upstream_authorities.spire import authority as module
from proa.control_plane import upstream
from proa.control_plane.ca_keys import generate_key
from proa.control_plane.upstream import UpstreamSource
from proa.core.auth.ca import Ca
from proa.core.auth.csr import build_ca_csr
from proa.core.auth.plugged import Unusable
from proa.core.auth.spiffe import SpiffeId
from proa.ports.failures import StorePermanent, StoreTemporary
from proa.servers.asgi import bind_unix
from tests.unit.adapters.upstream_authorities.spire.spire import DOWNSTREAM, TD, Spire, new_root, running

CSR = build_ca_csr(ec.generate_private_key(ec.SECP256R1()), TD)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="spire-") as path:
        yield Path(path)


Body = Callable[[Spire, SpireAccess], Awaitable[None]]


@pytest.fixture
def run(folder: Path) -> Callable[..., None]:
    def run(body: Body, spire: Spire | None = None) -> None:
        async def opened() -> None:
            served = spire or Spire()
            async with asyncio.timeout(60), running(folder, served) as access:
                await body(served, access)

        asyncio.run(opened())

    return run


def source(access: SpireAccess, now: list[float]) -> UpstreamSource:
    return UpstreamSource(SpireAuthority(access, TD), TD, generate_key, lambda: now[0])


def test_a_ca_under_spires_root_and_anew_at_half_its_life(run: Callable[..., None]) -> None:
    async def body(spire: Spire, access: SpireAccess) -> None:
        now = [time.time()]
        above = source(access, now)
        first = await above.read(now[0])
        assert isinstance(first, Ca), first
        assert first.root == spire.roots[0].certificate
        assert spire.asked == [365 * 24 * 3600]
        assert await above.news(now[0] + 100) is None
        now[0] += 2000
        second = await above.news(now[0])
        assert isinstance(second, Ca)
        assert second.certificate.public_key() != first.certificate.public_key()

    run(body)


def test_another_root_is_followed_when_ours_is_taken_back(run: Callable[..., None]) -> None:
    spire = Spire()
    spire.roots.append(new_root(2))

    async def body(spire: Spire, access: SpireAccess) -> None:
        old, new = spire.roots
        now = [time.time()]
        above = source(access, now)
        spire.roots = [new, old]
        first = await above.read(now[0])
        assert isinstance(first, Ca)
        assert first.root == old.certificate, "of several roots the one that signed"
        spire.roots = [old, new]
        now[0] += upstream.RETRY_S
        assert await above.news(now[0]) is None, "it is still in the bundle"
        spire.roots = [new]
        now[0] += 1
        assert await above.news(now[0]) is None, "nobody looks each second"
        now[0] += upstream.LOOK_S
        second = await above.news(now[0])
        assert isinstance(second, Ca)
        assert second.root == new.certificate

    run(body, spire)


def test_a_spire_that_is_away_keeps_the_ca_at_hand(run: Callable[..., None]) -> None:
    async def body(spire: Spire, access: SpireAccess) -> None:
        now = [time.time()]
        above = source(access, now)
        assert isinstance(await above.read(now[0]), Ca)
        spire.entry = None
        now[0] += upstream.RETRY_S
        assert await above.news(now[0]) is None, "its roots are not known now, and none was taken back"
        now[0] += 2000
        spire.entry, spire.down = DOWNSTREAM, grpc.StatusCode.UNAVAILABLE
        told = await above.news(now[0])
        assert isinstance(told, Unusable)
        assert "as the test wants it" in told.faults[0]

    run(body)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, StoreTemporary),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, StoreTemporary),
        (grpc.StatusCode.INTERNAL, StoreTemporary),
        (grpc.StatusCode.INVALID_ARGUMENT, StorePermanent),
        (grpc.StatusCode.UNIMPLEMENTED, StorePermanent),
    ],
)
def test_how_the_server_fails(run: Callable[..., None], code: grpc.StatusCode, kind: type[Exception]) -> None:
    async def body(spire: Spire, access: SpireAccess) -> None:
        spire.down = code
        with pytest.raises(kind, match=code.name):
            await SpireAuthority(access, TD).sign_ca(CSR, 60)

    run(body)


def test_who_gets_no_ca(run: Callable[..., None]) -> None:
    async def body(spire: Spire, access: SpireAccess) -> None:
        authority = SpireAuthority(access, TD)
        spire.downstream.clear()
        with pytest.raises(StorePermanent, match="not a downstream"):
            await authority.sign_ca(CSR, 60)
        spire.entry = None
        with pytest.raises(StorePermanent, match="no identity issued"):
            await authority.sign_ca(CSR, 60)
        spire.entry = SpiffeId("elsewhere.example", "/x")
        with pytest.raises(StorePermanent, match=r"the mesh's trust domain is spire\.example"):
            await authority.sign_ca(CSR, 60)
        assert spire.asked == []

    run(body)


def test_whoever_else_the_bundle_vouches_for_is_not_the_server(run: Callable[..., None]) -> None:
    spire = Spire()
    spire.serves_as = SpiffeId(TD, "/some/workload")

    async def body(spire: Spire, access: SpireAccess) -> None:
        with pytest.raises(StorePermanent, match=r"is spiffe://spire\.example/some/workload, not"):
            await SpireAuthority(access, TD).sign_ca(CSR, 60)
        assert spire.asked == []

    run(body, spire)


def test_a_server_under_another_root_is_not_asked(run: Callable[..., None]) -> None:
    async def body(spire: Spire, access: SpireAccess) -> None:
        spire.roots = [new_root(9)]
        with pytest.raises(StoreTemporary, match="certificate verify failed"):
            await SpireAuthority(access, TD).sign_ca(CSR, 60)
        assert spire.asked == []

    run(body)


def test_nobody_there(run: Callable[..., None], folder: Path) -> None:
    async def body(spire: Spire, access: SpireAccess) -> None:
        nobody = msgspec.structs.replace(access, socket=folder / "none.sock")
        with pytest.raises(StoreTemporary, match=r"agent at .* cannot be asked"):
            await SpireAuthority(nobody, TD).roots()
        away = msgspec.structs.replace(access, port=1)
        with pytest.raises(StoreTemporary, match=r"server at 127\.0\.0\.1:1 cannot be asked"):
            await SpireAuthority(away, TD).sign_ca(CSR, 60)

    run(body)


def test_an_agent_that_says_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    with bind_unix(folder / "silent.sock"):
        access = SpireAccess(socket=folder / "silent.sock", host="127.0.0.1", port=1)
        with pytest.raises(StoreTemporary, match="no answer within"):
            asyncio.run(SpireAuthority(access, TD).roots())
