"""The Workload API of one workload, asked with gRPC's own client over its socket."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from proa.core.auth.ca import private_pem, to_pem
from proa.core.auth.workload_api import (
    FETCH_BUNDLES,
    FETCH_SVIDS,
    SECURITY,
    SERVICE,
    read_bundles,
    read_svids,
)
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import PartnerBundle
from proa.node import guards
from proa.node.credentials import Credential
from proa.node.denials import Denials
from proa.node.guards import ProcessGuard
from proa.node.trust import NodeTrust
from proa.node.workload_api import WorkloadApi
from proa.runtime.cell import Cell
from tests.unit.core.auth.authorities import INTERMEDIATE, LEAF_KEY, ROOT, leaf

ME = WorkloadId("default", "reviews-v1")
IDENTITY = "spiffe://cluster.local/ns/default/sa/bookinfo-reviews"


def credential(chain_pem: str) -> Credential:
    return Credential(
        key_pem=private_pem(LEAF_KEY),
        chain_pem=chain_pem,
        bundles={},
        identity=IDENTITY,
        not_before=0,
        not_after=1,
    )


FIRST, SECOND = (credential(to_pem(leaf()) + part) for part in (INTERMEDIATE.pem, ""))


class Scene:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.credential: Cell[Credential | None] = Cell(FIRST)
        self.trust = NodeTrust("cluster.local", {"cluster.local": ROOT.pem})
        self.bundles = self.trust.bundles
        self.denials = Denials()
        self.ours = {os.getpid()}
        self.channel = channel

    def call(self, method: str, metadata: tuple[tuple[str, str], ...] = (SECURITY,)) -> Any:
        opened: Any = self.channel.unary_stream(f"/{SERVICE}/{method}", None, None)
        return opened(b"", metadata=metadata, timeout=60, wait_for_ready=True)

    async def refused(self, method: str, metadata: tuple[tuple[str, str], ...] = (SECURITY,)) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, metadata).read()
        return f"{caught.value.code().name}: {caught.value.details()}"


Body = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="api-") as path:
        yield Path(path)


@pytest.fixture
def run(folder: Path) -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def opened() -> None:
            socket = folder / "s.spiffe"
            async with asyncio.timeout(60), grpc.aio.insecure_channel(f"unix:{socket}") as channel:
                scene = Scene(channel)
                guard = ProcessGuard(ME, scene.denials, lambda pid: pid in scene.ours)
                api = WorkloadApi(scene.credential, scene.trust, ME.namespace, guard)
                async with asyncio.TaskGroup() as tasks:
                    serving = tasks.create_task(api.serve(socket, asyncio.Event()))
                    await body(scene)
                    serving.cancel()
            assert not socket.exists()

        asyncio.run(opened())

    return run


def test_a_program_gets_its_identity_and_every_change_of_it(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        call = scene.call(FETCH_SVIDS)
        (svid,) = read_svids(await call.read())
        assert (str(svid.identity), svid.chain, svid.bundle) == (IDENTITY, FIRST.chain_pem, ROOT.pem)
        assert svid.key == FIRST.key_pem
        scene.credential.set(SECOND)
        (svid,) = read_svids(await call.read())
        assert svid.chain == SECOND.chain_pem
        both = ROOT.pem + INTERMEDIATE.pem
        scene.bundles.set({"cluster.local": both})
        (svid,) = read_svids(await call.read())
        assert svid.bundle == both
        call.cancel()

    run(body)


def test_a_program_gets_the_bundles_and_every_change_of_them(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        call = scene.call(FETCH_BUNDLES)
        assert read_bundles(await call.read()) == {"spiffe://cluster.local": ROOT.pem}
        scene.credential.set(SECOND)  # is no news of bundles
        scene.bundles.set({"cluster.local": ROOT.pem, "other.example": INTERMEDIATE.pem})
        assert set(read_bundles(await call.read())) == {"spiffe://cluster.local", "spiffe://other.example"}
        silent = PartnerBundle(trust_domain="silent", namespaces=(ME.namespace,))
        elsewhere = PartnerBundle(trust_domain="elsewhere", namespaces=("shop",), roots_pem=INTERMEDIATE.pem)
        partner = PartnerBundle(trust_domain="p", namespaces=(ME.namespace,), roots_pem=INTERMEDIATE.pem)
        scene.trust.partners.set((elsewhere, partner, silent))
        assert set(read_bundles(await call.read())) == {
            *("spiffe://cluster.local", "spiffe://other.example"),
            "spiffe://p",
        }
        call.cancel()

    run(body)


def test_who_comes_before_the_certificate_waits_for_it(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.credential.set(None)
        call = scene.call(FETCH_SVIDS)
        bundles = scene.call(FETCH_BUNDLES)
        assert await bundles.read()  # the server is at work
        scene.credential.set(FIRST)
        (svid,) = read_svids(await call.read())
        assert svid.chain == FIRST.chain_pem
        for each in (call, bundles):
            each.cancel()

    run(body)


def test_what_is_refused(run: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "KNOWN_S", 0.05)

    async def body(scene: Scene) -> None:
        assert (await scene.refused(FETCH_SVIDS, ())).startswith("INVALID_ARGUMENT: the metadata")
        assert (await scene.refused(FETCH_SVIDS, ((SECURITY[0], "false"),))).startswith("INVALID_ARGUMENT")
        assert (await scene.refused("FetchJWTSVID")).startswith("UNIMPLEMENTED")
        scene.ours.clear()
        for method in (FETCH_SVIDS, FETCH_BUNDLES):
            assert "is not the one that this socket is for" in await scene.refused(method)
        assert dict(scene.denials.counts) == {("another process", ME): 2}

    run(body)


def test_a_process_may_become_known_a_moment_late(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.ours.clear()
        call = scene.call(FETCH_SVIDS)
        async with asyncio.TaskGroup() as tasks:
            answer = tasks.create_task(call.read())
            await asyncio.sleep(0)
            scene.ours.add(os.getpid())
        assert read_svids(answer.result())
        call.cancel()

    run(body)
