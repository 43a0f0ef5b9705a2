"""A control plane that starts again knows what its nodes ran, and forgets none of them too early."""

import asyncio
from pathlib import Path

from proa.adapters.config_sources.sqlite import open_stores
from proa.control_plane.leases import Leases
from proa.control_plane.proxies import Proxies
from proa.control_plane.registrations import LEASE_S, Registrations
from proa.control_plane.world import World
from proa.core.auth.grants import BROAD, Grant
from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.sidecar.session import NodeState
from proa.ports.failures import StoreTemporary
from proa.ports.lease_store import Lease
from proa.servers.authority.node import NodeLine
from proa.testing.builders import simple

HOST = "a.default.svc.cluster.local"
LINE = NodeLine(node="node", is_local=False)
STATE = NodeState(version=7, workloads=(simple("a"),))


class Start:
    """One life of a control plane, as far as registrations go."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.world = World(MeshSettings(), clock=lambda: self.now)
        self.registrations = Registrations(
            self.world, Proxies(self.world, clock=lambda: self.now), clock=lambda: self.now
        )
        self.registrations.set_grants([Grant(node="node", placements=BROAD)])

    async def folded(self) -> World:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.world.run())
            await self.world.commit(Change())
            running.cancel()
        return self.world


class Memory:
    """Leases in memory; `is_full` makes every write fail for the time being."""

    def __init__(self) -> None:
        self.kept: dict[str, Lease] = {}
        self.writes = 0
        self.is_full = False

    async def leases(self) -> tuple[Lease, ...]:
        return tuple(self.kept[node] for node in sorted(self.kept))

    async def put_lease(self, lease: Lease) -> None:
        if self.is_full:
            raise StoreTemporary("the disk is full")
        self.writes += 1
        self.kept[lease.node] = lease

    async def remove_lease(self, node: str, state: bytes | None = None) -> bool:
        return self.kept.pop(node, None) is not None


def test_endpoints_are_there_again_before_any_node_is(tmp_path: Path) -> None:
    async def body() -> None:
        async with open_stores(tmp_path / "store.db") as stores:
            leases = Leases(stores.leases, clock=lambda: 5.0)
            leases.remember(LINE, STATE)
            await leases.flush()
        async with open_stores(tmp_path / "store.db") as stores:
            again = Start()
            assert await Leases(stores.leases, clock=lambda: 6.0).restore(again.registrations) == 1
            world = await again.folded()
            assert [each.workload for each in world.snapshot.endpoints[HOST].endpoints] == ["default/a-v1"]
            assert again.registrations.nodes() == {"node": False}

    asyncio.run(body())


def test_nothing_expires_before_one_whole_lease_of_this_start() -> None:
    async def body() -> None:
        store = Memory()
        before = Leases(store, clock=lambda: 0.0)
        before.remember(LINE, STATE)
        await before.flush()
        again = Start()
        await Leases(store, clock=lambda: 1e9).restore(again.registrations)
        again.now += LEASE_S - 1
        assert again.registrations.expire() == ()
        again.now += 1
        assert again.registrations.expire() == ("node",)
        assert not (await again.folded()).snapshot.endpoints

    asyncio.run(body())


def test_a_node_that_is_back_keeps_what_it_says_then() -> None:
    async def body() -> None:
        store = Memory()
        before = Leases(store, clock=lambda: 0.0)
        before.remember(LINE, STATE)
        await before.flush()
        again = Start()
        await Leases(store, clock=lambda: 0.0).restore(again.registrations)
        answer = again.registrations.heard(NodeLine(node="node", is_local=True), NodeState(version=1))
        assert answer.version == 1
        again.now += 10 * LEASE_S
        assert again.registrations.expire() == ()
        assert WorkloadId("default", "a-v1") not in again.registrations.registrations()

    asyncio.run(body())


def test_many_words_are_one_write_and_a_full_disk_loses_none() -> None:
    async def body() -> None:
        store = Memory()
        leases = Leases(store, clock=lambda: 0.0)
        for version in range(100):
            leases.remember(LINE, NodeState(version=version))
        store.is_full = True
        try:
            await leases.flush()
        except StoreTemporary:
            store.is_full = False
        await leases.flush()
        assert store.writes == 1
        assert b'"version":99' in store.kept["node"].state
        leases.forget("node")
        await leases.flush()
        assert store.kept == {}

    asyncio.run(body())


def test_a_lease_that_cannot_be_read_is_left_out() -> None:
    async def body() -> None:
        store = Memory()
        store.kept["x"] = Lease(node="x", state=b"not a lease", time=0.0)
        again = Start()
        assert await Leases(store, clock=lambda: 0.0).restore(again.registrations) == 0

    asyncio.run(body())
