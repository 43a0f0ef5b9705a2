"""A control plane that starts again knows what its nodes ran, and forgets none of them too early."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

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


class Shared(Memory):
    """Leases that several control planes share; a watch that tells what there is, and ends."""

    async def watch_leases(self) -> AsyncGenerator[tuple[Lease, ...]]:
        yield await self.leases()


class Neighbour(Start):
    """One of several control planes on one store."""

    def __init__(self, store: Shared, name: str, leads: bool = False) -> None:
        super().__init__()
        self.store = store
        self.leads = leads
        self.leases = Leases(store, clock=lambda: 0.0, name=name, leads=lambda: self.leads)
        self.registrations.set_grants(
            [Grant(node="node", placements=BROAD), Grant(node="other", placements=BROAD)]
        )

    async def catch_up(self) -> None:
        await self.leases.flush()
        await self.leases.follow(self.store, self.registrations)
        await self.leases.flush()

    def hear(self, line: NodeLine, state: NodeState = STATE) -> None:
        self.registrations.heard(line, state)
        self.leases.remember(line, state, self.registrations.since_of(line.node))

    def lose(self, line: NodeLine) -> None:
        self.registrations.left(line)
        self.leases.left(line)

    @property
    def workloads(self) -> set[str]:
        return {str(each) for each in self.registrations.registrations()}


def two(first_leads: bool = True) -> tuple[Shared, Neighbour, Neighbour]:
    store = Shared()
    one, other = Neighbour(store, "one", leads=first_leads), Neighbour(store, "other", leads=not first_leads)
    for each in (one, other):
        each.leases.set_present(("one", "other"), each.registrations)
    return store, one, other


def line() -> NodeLine:
    return NodeLine(node="node", is_local=False)


def test_a_node_of_one_is_known_at_the_other_and_does_not_expire_there() -> None:
    async def body() -> None:
        _, one, other = two()
        one.hear(line())
        await one.catch_up()
        await other.catch_up()
        assert other.workloads == one.workloads == {"default/a-v1"}
        assert (one.leases.holder_of("node"), other.leases.holder_of("node")) == ("", "one")
        other.now += 10 * LEASE_S
        assert other.registrations.expire() == ()

    asyncio.run(body())


def test_a_node_that_went_to_the_other_is_not_expired_by_the_first() -> None:
    """Whoever hears late of an old line's end disturbs nobody."""

    async def body() -> None:
        store, one, other = two()
        old = line()
        one.hear(old)
        await one.catch_up()
        await other.catch_up()
        other.hear(line())
        await other.catch_up()
        await one.catch_up()
        assert one.leases.holder_of("node") == "other"
        one.lose(old)
        one.now += 10 * LEASE_S
        assert one.registrations.expire() == ()
        await one.catch_up()
        assert "node" in store.kept
        assert other.leases.holder_of("node") == ""

    asyncio.run(body())


def test_a_late_write_of_an_old_session_is_put_right() -> None:
    async def body() -> None:
        store, one, other = two()
        one.hear(line())
        await one.leases.flush()
        late = store.kept["node"]
        await other.catch_up()
        other.hear(line(), NodeState(version=9))
        await other.catch_up()
        newest = store.kept["node"]
        store.kept["node"] = late
        await other.catch_up()
        assert store.kept["node"] == newest
        await one.catch_up()
        assert one.workloads == other.workloads == set()

    asyncio.run(body())


def test_the_nodes_of_a_control_plane_that_died_are_silent_from_then_on() -> None:
    async def body() -> None:
        store, one, other = two(first_leads=False)
        one.hear(line())
        await one.catch_up()
        await other.catch_up()
        other.now += 100
        other.leases.set_present(("other",), other.registrations)
        assert other.leases.holder_of("node") == ""
        other.now += LEASE_S - 1
        assert other.registrations.expire() == ()
        other.now += 1
        for node in other.registrations.expire():
            other.leases.forget(node)
        await other.catch_up()
        assert store.kept == {}

    asyncio.run(body())


def test_a_control_plane_whose_line_was_broken_gets_its_nodes_back() -> None:
    async def body() -> None:
        _, one, other = two()
        one.hear(line())
        await one.catch_up()
        await other.catch_up()
        other.leases.set_present(("other",), other.registrations)
        other.now += LEASE_S - 1
        other.leases.set_present(("one", "other"), other.registrations)
        other.now += 10 * LEASE_S
        assert other.registrations.expire() == ()

    asyncio.run(body())


def test_only_the_leader_removes_what_nobody_holds() -> None:
    async def body() -> None:
        store, one, other = two(first_leads=True)
        one.hear(line())
        await one.catch_up()
        await other.catch_up()
        other.leases.set_present(("other",), other.registrations)
        other.now += LEASE_S
        for node in other.registrations.expire():
            other.leases.forget(node)
        await other.leases.flush()
        assert "node" in store.kept
        other.leads = True
        other.leases.remove_over()
        await other.leases.flush()
        assert store.kept == {}

    asyncio.run(body())


def test_a_lease_removed_at_one_is_gone_at_the_other_and_written_again_for_a_node_that_speaks() -> None:
    async def body() -> None:
        store, one, other = two()
        one.hear(line())
        await one.catch_up()
        await other.catch_up()
        store.kept.clear()
        await other.catch_up()
        assert other.workloads == set()
        await one.catch_up()
        await other.catch_up()
        assert other.workloads == one.workloads == {"default/a-v1"}

    asyncio.run(body())


def test_both_find_the_same_node_first() -> None:
    """Whatever order they hear of two that claim one name."""

    async def body() -> None:
        _, one, other = two()
        one.registrations.stamp = lambda: 5
        other.registrations.stamp = lambda: 4
        one.hear(line())
        theirs = msgspec.structs.replace(simple("a"), node="other")
        other.hear(NodeLine(node="other", is_local=False), NodeState(version=1, workloads=(theirs,)))
        for _ in range(2):
            await one.catch_up()
            await other.catch_up()
        claim = WorkloadId("default", "a-v1")
        for each in (one, other):
            found = each.registrations.registration(claim)
            assert found is not None
            assert found.node == "other", "its stamp is the lower one"

    asyncio.run(body())
