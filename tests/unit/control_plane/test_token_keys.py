"""The owner of the keys of end users' tokens, with servers that do as they are told."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from proa.control_plane import token_keys
from proa.control_plane.token_keys import TokenKeys
from proa.control_plane.world import World
from proa.core.model.names import ObjectRef
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.model.token_keys import KeySource
from proa.ports.token_keys import FetchedKeys, KeptSet, KeysUnavailable
from proa.runtime.cell import Cell
from proa.testing.builders import change, removal

SOURCE = KeySource("https://a/keys")
PEOPLE = """
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: people}
spec: {jwtRules: [{issuer: a, jwksUri: "https://a/keys"}]}
"""


class Servers:
    """`keys` None: nobody answers. `asked` grows with every answer."""

    def __init__(self, keys: str | None) -> None:
        self.keys = keys
        self.asked = 0
        self.patience_s = 0.0
        self._moved = asyncio.Event()

    async def fetch(self, source: KeySource, patience_s: float) -> FetchedKeys:
        self.asked += 1
        self.patience_s = patience_s
        self._moved.set()
        await asyncio.sleep(0)
        if self.keys is None:
            raise KeysUnavailable("nobody answers")
        return FetchedKeys(keys=self.keys, max_age_s=0)

    async def until_asked(self, times: int) -> None:
        while self.asked < times:
            self._moved.clear()
            await self._moved.wait()


class Kept:
    """What several owners share, each of which follows it."""

    def __init__(self, keys: Mapping[KeySource, KeptSet] | None = None) -> None:
        self.keys = Cell(dict(keys or {}))

    @property
    def texts(self) -> dict[KeySource, str]:
        return {source: kept.keys for source, kept in self.keys.value.items()}

    async def load(self) -> Mapping[KeySource, KeptSet]:
        return self.keys.value

    async def keep(self, source: KeySource, kept: KeptSet) -> None:
        self.keys.set({**self.keys.value, source: kept})

    async def forget(self, source: KeySource) -> None:
        self.keys.set({each: kept for each, kept in self.keys.value.items() if each != source})

    async def watch(self) -> AsyncGenerator[Mapping[KeySource, KeptSet]]:
        async for keys in self.keys.follow():
            yield keys


class Scene:
    def __init__(self, servers: Servers, kept: Kept) -> None:
        self.world = World(MeshSettings(), clock=lambda: 0.0)
        self.ahead = 0.0
        self.owner = TokenKeys(self.world, servers, kept, lambda: time.time() + self.ahead)

    async def until_known(self, keys: str | None) -> None:
        async with asyncio.timeout(60):
            # A round of its own each time: nobody is told of keys that nobody needs.
            while self.world.snapshot.key_sets.get(SOURCE) != keys:
                await self.world.commit(Change())


@asynccontextmanager
async def running(servers: Servers, kept: Kept) -> AsyncIterator[Scene]:
    scene = Scene(servers, kept)
    await scene.owner.load()
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(scene.world.run()), tasks.create_task(scene.owner.run())]
        yield scene
        for each in started:
            each.cancel()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST_S", "FIRST_PAUSE_S", "LONGEST_PAUSE_S"):
        monkeypatch.setattr(token_keys, name, 0.01)


def test_keys_are_fetched_while_somebody_needs_them_and_replaced() -> None:
    async def scene() -> None:
        servers, kept = Servers("old"), Kept()
        async with running(servers, kept) as found:
            await found.world.commit(change(PEOPLE))
            await found.until_known("old")
            assert servers.patience_s == 5.0
            servers.keys = "new"
            await found.until_known("new")
            assert kept.texts == {SOURCE: "new"}
            assert found.owner.states() == {"good": 1, "stale": 0, "missing": 0}
            await found.world.commit(removal(ObjectRef("RequestAuthentication", "default", "people")))
            await found.until_known(None)
            assert kept.texts == {}
            assert sum(found.owner.states().values()) == 0

    asyncio.run(scene())


def test_the_last_good_keys_hold_while_nobody_answers() -> None:
    async def scene() -> None:
        servers, kept = Servers(None), Kept({SOURCE: KeptSet(keys="kept", fetched=time.time())})
        async with running(servers, kept) as found:
            await found.world.commit(change(PEOPLE))
            await found.until_known("kept")
            await found.owner.tried(60)
            await servers.until_asked(3)
            assert found.owner.states()["stale"] == 1
            assert found.owner.counts["failed"] >= 1
            assert found.world.snapshot.key_sets[SOURCE] == "kept"
            servers.keys = "new"
            await found.until_known("new")
            assert found.owner.states()["good"] == 1

    asyncio.run(scene())


def test_a_source_that_never_answered_has_none() -> None:
    async def scene() -> None:
        servers = Servers(None)
        async with running(servers, Kept()) as found:
            await found.owner.tried(60)
            await found.world.commit(change(PEOPLE))
            await found.owner.tried(60)
            assert servers.asked >= 1
            assert found.owner.states() == {"good": 0, "stale": 0, "missing": 1}
            assert not found.world.snapshot.key_sets
            (missing,) = found.owner.missing()
            assert "https://a/keys cannot be fetched (nobody answers)" in missing

    asyncio.run(scene())


def test_who_waits_for_keys_finds_them_in_the_world() -> None:
    async def scene() -> None:
        async with running(Servers("new"), Kept()) as found:
            folded = await found.world.commit(change(PEOPLE))
            await found.owner.tried(60)
            assert found.world.snapshot.key_sets[SOURCE] == "new"
            assert found.owner.generation > folded
            assert found.owner.missing() == ()

    asyncio.run(scene())


def test_the_last_good_keys_do_not_hold_for_ever() -> None:
    async def scene() -> None:
        servers = Servers("good")
        async with running(servers, Kept()) as found:
            await found.world.commit(change(PEOPLE))
            await found.until_known("good")
            servers.keys = None
            await servers.until_asked(servers.asked + 2)
            assert found.world.snapshot.key_sets[SOURCE] == "good"
            found.ahead = token_keys.HOLD_S
            await found.until_known(None)
            assert found.owner.states()["missing"] == 1
            servers.keys = "other"
            await found.until_known("other")
            assert found.owner.states()["good"] == 1

    asyncio.run(scene())


def test_what_was_kept_for_too_long_is_not_loaded() -> None:
    async def scene() -> None:
        kept = Kept({SOURCE: KeptSet(keys="kept", fetched=time.time() - token_keys.HOLD_S)})
        async with running(Servers(None), kept) as found:
            await found.world.commit(change(PEOPLE))
            await found.owner.tried(60)
            assert not found.world.snapshot.key_sets

    asyncio.run(scene())


def test_control_planes_share_what_one_has_fetched() -> None:
    """One of them cannot reach the issuer, and its proxies get the same keys."""

    async def scene() -> None:
        kept, here, nowhere = Kept(), Servers("one"), Servers(None)
        async with running(here, kept) as one, running(nowhere, kept) as other:
            for each in (one, other):
                await each.world.commit(change(PEOPLE))
            await other.until_known("one")
            here.keys = "two"
            await other.until_known("two")
            assert other.owner.states()["missing"] == 0
        async with running(nowhere, kept) as late:
            await late.world.commit(change(PEOPLE))
            await late.until_known("two")

    asyncio.run(scene())


def test_what_is_fresh_is_fetched_by_nobody_else() -> None:
    async def scene() -> None:
        now = time.time()
        until = now + token_keys.FRESH_S
        kept = Kept({SOURCE: KeptSet(keys="fresh", fetched=now, fresh_until=until)})
        servers = Servers("mine")
        async with running(servers, kept) as found:
            await found.world.commit(change(PEOPLE))
            await found.until_known("fresh")
            assert found.owner.states()["good"] == 1
            newer = KeptSet(keys="newer", fetched=now + 1, fresh_until=until)
            await kept.keep(SOURCE, newer)
            await found.until_known("newer")
            older = KeptSet(keys="older", fetched=now + 0.5, fresh_until=until)
            await kept.keep(SOURCE, older)
            await kept.keep(SOURCE, KeptSet(keys="newest", fetched=now + 2, fresh_until=until))
            await found.until_known("newest")
            assert servers.asked == 0

    asyncio.run(scene())
