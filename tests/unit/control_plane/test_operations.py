"""What `apply --wait` waits for."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

from immutables import Map

from proa.control_plane.configuration import Configuration
from proa.control_plane.operations import Operations
from proa.control_plane.proxies import RETURN_S
from proa.core.model.names import ObjectRef
from proa.ports.config_store import StoredObject, StoreState
from proa.servers.admin.operations import WaitStatus
from tests.unit.control_plane.storms import Agent, ControlPlane, agents_of, clients

NOBODY = cast(Any, None)
CALLERS = clients(nodes=1, of_each=1)


class NoKeys:
    """Nobody's tokens are verified."""

    generation = 0

    async def tried(self) -> None:
        return

    def missing(self) -> tuple[str, ...]:
        return ()


class NoRules:
    """Mixer has nothing to follow."""

    async def settled(self) -> None:
        return


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def asked(control_plane: ControlPlane, configuration: Configuration | None = None) -> Operations:
    return Operations(
        world=control_plane.world,
        configuration=configuration or Configuration(control_plane.world, lambda policies: None),
        registrations=control_plane.registrations,
        streams=control_plane.proxies,
        authority=NOBODY,
        rotation=NOBODY,
        store=NOBODY,
        backups=NOBODY,
        audit=NOBODY,
        addresses=Map(),
        unready=tuple,
        clock=lambda: 0.0,
        servers=tuple,
        token_keys=cast(Any, NoKeys()),
        federations=NOBODY,
        mixer=cast(Any, NoRules()),
        quotas=NOBODY,
        reports=NOBODY,
    )


def states(status: WaitStatus) -> list[str]:
    return [each.state for each in status.proxies]


async def connected(
    control_plane: ControlPlane, start: Callable[..., asyncio.Task[None]], agent: Agent
) -> asyncio.Task[None]:
    """Its stream, with everything taken."""
    serving = start(control_plane.serve(agent))
    start(agent.talk())
    await control_plane.until(lambda: control_plane.is_full([agent]))
    return serving


def test_a_proxy_whose_agent_replaces_its_connection_is_waited_for() -> None:
    """In between nobody knows what it has taken, and it is no less there."""

    async def scene() -> None:
        control_plane = ControlPlane(CALLERS)
        (agent,) = agents_of(CALLERS)
        async with control_plane.running() as start:
            serving = await connected(control_plane, start, agent)
            serving.cancel()
            await asyncio.wait([serving])
            assert control_plane.proxies.streams() == ()
            waiting = asked(control_plane).wait(-1)
            first = await anext(waiting)
            assert (first.done, states(first)) == (False, ["pending"])
            agent.reconnect()
            await connected(control_plane, start, agent)
            *_, last = [status async for status in waiting]
            assert (last.done, states(last)) == (True, ["live"])

    asyncio.run(scene())


def test_a_proxy_that_stays_away_is_not_waited_for() -> None:
    async def scene() -> None:
        clock = Clock()
        control_plane = ControlPlane(CALLERS, clock=clock)
        (agent,) = agents_of(CALLERS)
        async with control_plane.running() as start:
            serving = await connected(control_plane, start, agent)
            serving.cancel()
            await asyncio.wait([serving])
            waiting = asked(control_plane).wait(-1)
            assert states(await anext(waiting)) == ["pending"]
            clock.now += RETURN_S + 1
            *_, last = [status async for status in waiting]
            assert (last.done, states(last)) == (True, [])

    asyncio.run(scene())


def test_a_workload_that_is_gone_is_not_waited_for() -> None:
    async def scene() -> None:
        control_plane = ControlPlane(CALLERS)
        (agent,) = agents_of(CALLERS)
        async with control_plane.running() as start:
            serving = await connected(control_plane, start, agent)
            serving.cancel()
            await asyncio.wait([serving])
            control_plane.hear(agent.node, ())
            (status,) = [status async for status in asked(control_plane).wait(-1)]
            assert (status.done, states(status)) == (True, [])

    asyncio.run(scene())


class Store:
    """Yields what its reader is ready for: of two versions that came together the newer."""

    def __init__(self, *states: StoreState) -> None:
        self._states = states

    async def watch(self) -> AsyncGenerator[StoreState]:
        for state in self._states:
            yield state


def state(version: int, timeout: str) -> StoreState:
    ref = ObjectRef("VirtualService", "default", "a")
    spec = f'{{"hosts": ["a"], "http": [{{"timeout": "{timeout}", "route": [{{"destination": {{"host": "a"}}}}]}}]}}'
    stored = StoredObject(
        ref=ref,
        api_version="networking.istio.io/v1",
        manifest=f'{{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",'
        f' "metadata": {{"name": "a", "namespace": "default"}}, "spec": {spec}}}',
        file="f",
        line=1,
        version=version,
        author="ada",
        time=0.0,
        created=0.0,
    )
    return StoreState(version=version, objects=Map({ref: stored}))


def test_a_version_that_was_folded_with_the_next_one_is_waited_for_as_that() -> None:
    async def scene() -> None:
        control_plane = ControlPlane({})
        configuration = Configuration(control_plane.world, lambda policies: None)
        async with control_plane.running():
            await configuration.follow_store(cast(Any, Store(state(1, "1s"), state(3, "3s"))))
            first, second, third = [await configuration.generation_of(version) for version in (1, 2, 3)]
            assert first < second == third

    asyncio.run(scene())
