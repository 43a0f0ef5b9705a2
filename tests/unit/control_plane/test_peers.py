"""What control planes tell each other, and what follows from it for those who wait."""

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from proa.control_plane.configuration import Configuration
from proa.control_plane.leases import Leases
from proa.control_plane.peers import OtherControlPlanes, Refused, Step, Word, rank
from proa.control_plane.proxies import Proxies, ProxyStream
from proa.control_plane.registrations import Registrations
from proa.control_plane.world import World
from proa.core.auth.peer_policy import PortTls, aim, settled
from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.ports.config_store import StoreState
from proa.ports.lease_store import Lease
from proa.ports.membership import Member, Members
from proa.servers.admin.operations import Rejection

PAGE, SHOP = WorkloadId("default", "page"), WorkloadId("default", "shop")
REJECTION = Rejection(resource="listener", error="no")


class Neighbours:
    """A Membership whose others say what the test wants."""

    name = "me"
    leads = False

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.spoke = asyncio.Event()
        self.others: dict[str, Word | bytes] = {}
        self.leader = "me"

    def say(self, word: bytes) -> None:
        if not self.said or self.said[-1] != word:
            self.said.append(word)
            self.spoke.set()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def watch(self) -> AsyncGenerator[Members]:
        members = (Member(name="me", xds="a:1", join="a:2"), *self._others())
        yield Members(present=members, servers=("a:1", "b:1"), leader=self.leader)

    def _others(self) -> tuple[Member, ...]:
        return tuple(
            Member(name=name, xds="b:1", join="b:2", said=said if isinstance(said, bytes) else encoded(said))
            for name, said in self.others.items()
        )


class NoLeases:
    async def leases(self) -> tuple[Lease, ...]:
        return ()

    async def put_lease(self, lease: Lease) -> None:
        pass

    async def remove_lease(self, node: str, state: bytes | None = None) -> bool:
        return False


def encoded(word: Word) -> bytes:
    return msgspec.json.encode(word)


class Desk:
    def __init__(self) -> None:
        self.world = World(MeshSettings(), clock=lambda: 0.0)
        self.proxies = Proxies(self.world, clock=lambda: 0.0)
        self.registrations = Registrations(self.world, self.proxies, clock=lambda: 0.0)
        self.configuration = Configuration(self.world, self.registrations.set_policies)
        self.membership = Neighbours()
        self.others = OtherControlPlanes(
            membership=self.membership,
            registrations=self.registrations,
            leases=Leases(NoLeases(), clock=lambda: 0.0, name="me"),
            configuration=self.configuration,
            proxies=self.proxies,
        )

    async def hears(self, **others: Word | bytes) -> OtherControlPlanes:
        self.membership.others = others
        await self.others.follow()
        return self.others


def test_proxies_of_others_are_waited_for_by_version() -> None:
    async def body() -> None:
        refused = Refused(version=4, rejection=REJECTION)
        word = Word(version=5, taken=((PAGE, 5), (SHOP, 3)), refused=((PAGE, (refused,)),))
        others = await Desk().hears(other=word)
        assert list(others.progress(5)) == [(PAGE, True, ()), (SHOP, False, ())]
        assert list(others.progress(3)) == [(PAGE, True, (REJECTION,)), (SHOP, True, ())]
        assert not others.lagging(5)
        assert others.lagging(6)
        assert others.taken_of(SHOP) == 3
        assert others.taken_of(WorkloadId("default", "none")) is None
        assert others.members.servers == ("a:1", "b:1")

    asyncio.run(body())


def test_what_is_connected_here_is_not_waited_for_elsewhere() -> None:
    """A control plane that died a moment ago says its last word until its presence ends."""

    async def body() -> None:
        desk = Desk()
        desk.proxies.open(PAGE, "node")
        others = await desk.hears(dead=Word(version=1, taken=((PAGE, 1),)))
        assert list(others.progress(7)) == []
        assert not others.lagging(7)

    asyncio.run(body())


def test_a_control_plane_that_is_moving_or_cut_is_not_claimed_to_be_done() -> None:
    async def body() -> None:
        for word in (
            Word(version=5, taken=((PAGE, 5),), is_moving=True),
            Word(version=5, taken=((PAGE, 5),), is_cut=True),
        ):
            assert (await Desk().hears(other=word)).lagging(5)

    asyncio.run(body())


def test_it_is_known_where_nodes_join_and_who_leads() -> None:
    async def body() -> None:
        desk = Desk()
        desk.membership.leader = "other"
        others = await desk.hears(other=Word(version=1))
        assert others.joins() == ("b:2",)
        assert others.leader() == " (it is other, which serves xDS at b:1)"
        desk.membership.leader = "me"
        assert (await desk.hears(other=Word(version=1))).leader() == ""

    asyncio.run(body())


def test_a_word_that_cannot_be_read_is_no_word() -> None:
    async def body() -> None:
        desk = Desk()
        others = await desk.hears(other=b"hello")
        assert others.present["other"].word is None
        assert list(others.progress(1)) == []
        await desk.hears()
        assert not others.present

    asyncio.run(body())


def test_a_mode_waits_for_the_others_step_by_step() -> None:
    key = (PAGE, 80)
    first = aim(settled("STRICT"), "DISABLE")
    told = msgspec.structs.replace(first, advertised="disabled", heard=False)
    done = settled("DISABLE")
    assert [rank(each) for each in (first, told, done)] == [0, 1, 2]

    async def has_taken(
        at: PortTls | None, *, arrived: bool = False, version: int = -1, mine: PortTls = told
    ) -> bool:
        steps = () if at is None else (Step(workload=PAGE, port=80, at=at, has_arrived=arrived),)
        word = Word(version=version, taken=((SHOP, 0),), steps=steps)
        return (await Desk().hears(other=word)).have_taken(key, mine)

    async def body() -> None:
        assert not await has_taken(first, arrived=True)
        assert not await has_taken(told)
        assert await has_taken(told, arrived=True)
        assert await has_taken(done)
        assert await has_taken(told, mine=first)
        assert await has_taken(None)
        assert not await has_taken(None, version=-2), "what sent the port on its way is not in force there"
        assert not await has_taken(aim(settled("DISABLE"), "STRICT"), arrived=True)

    asyncio.run(body())


def test_a_version_that_concerns_no_proxy_is_told_all_the_same() -> None:
    async def body() -> None:
        desk = Desk()

        def opening(_stream: ProxyStream) -> bool:
            return False

        class OneState:
            async def watch(self) -> AsyncGenerator[StoreState]:
                yield StoreState(version=3)

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            speaking = tasks.create_task(desk.others.speak(opening))
            await desk.membership.spoke.wait()
            desk.membership.spoke.clear()
            await desk.configuration.follow_store(OneState())  # type: ignore[arg-type]
            await desk.membership.spoke.wait()
            speaking.cancel()
        assert [msgspec.json.decode(each, type=Word).version for each in desk.membership.said] == [-1, 3]

    asyncio.run(body())
