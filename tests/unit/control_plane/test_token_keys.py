"""The owner of the keys of end users' tokens, with servers that do as they are told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from proa.control_plane import token_keys
from proa.control_plane.token_keys import TokenKeys
from proa.control_plane.world import World
from proa.core.model.names import ObjectRef
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.model.token_keys import KeySource
from proa.ports.token_keys import FetchedKeys, KeysUnavailable
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
    def __init__(self, keys: Mapping[KeySource, str] | None = None) -> None:
        self.keys = dict(keys or {})

    def load(self) -> Mapping[KeySource, str]:
        return dict(self.keys)

    def keep(self, source: KeySource, keys: str) -> None:
        self.keys[source] = keys

    def forget(self, source: KeySource) -> None:
        self.keys.pop(source, None)


class Scene:
    def __init__(self, servers: Servers, kept: Kept) -> None:
        self.world = World(MeshSettings(), clock=lambda: 0.0)
        self.owner = TokenKeys(self.world, servers, kept)

    async def until_known(self, keys: str | None) -> None:
        async with asyncio.timeout(60):
            # A round of its own each time: nobody is told of keys that nobody needs.
            while self.world.snapshot.key_sets.get(SOURCE) != keys:
                await self.world.commit(Change())


@asynccontextmanager
async def running(servers: Servers, kept: Kept) -> AsyncIterator[Scene]:
    scene = Scene(servers, kept)
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
            assert kept.keys == {SOURCE: "new"}
            assert found.owner.states() == {"good": 1, "stale": 0, "missing": 0}
            await found.world.commit(removal(ObjectRef("RequestAuthentication", "default", "people")))
            await found.until_known(None)
            assert kept.keys == {}
            assert sum(found.owner.states().values()) == 0

    asyncio.run(scene())


def test_the_last_good_keys_hold_while_nobody_answers() -> None:
    async def scene() -> None:
        servers, kept = Servers(None), Kept({SOURCE: "kept"})
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

    asyncio.run(scene())
