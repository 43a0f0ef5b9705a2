"""Everybody comes back at once; somebody shouts; somebody sleeps. Counted, not timed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from proa.control_plane.limits import Limits
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.core.pilot.xds.admission import Bounds
from proa.core.pilot.xds.wire import encode_request
from proa.core.sidecar.retry import retry_after
from proa.core.sidecar.session import Registration, SignRequest
from proa.runtime.bucket import Rate
from proa.servers.authority.node import NodeLine
from proa.servers.grpc_edge import NotNow, PeerRefused
from proa.testing.builders import simple
from tests.unit.control_plane.storms import (
    CLUSTER,
    ENDPOINT,
    PATIENCE_S,
    Agent,
    ControlPlane,
    agents_of,
    clients,
)

SERVICES: dict[str, tuple[Registration, ...]] = {"node": (simple("a"), simple("b"))}


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scene()

    asyncio.run(bounded())


def test_after_a_restart_all_are_served_none_is_refused_and_nothing_is_sent_again() -> None:
    callers = clients(nodes=30, of_each=10)
    agents = agents_of(callers)

    async def storm(control_plane: ControlPlane) -> None:
        async with control_plane.running() as start:
            for agent in agents:
                start(control_plane.serve(agent))
                start(agent.talk())
            await control_plane.until(lambda: control_plane.is_full(agents))
            assert control_plane.gate.admitted == len(agents)
            assert control_plane.gate.waiting == 0
            assert not control_plane.refusals.counts

    async def scene() -> None:
        first = ControlPlane(SERVICES | callers, bounds=Bounds(at_once=8))
        await storm(first)
        assert min(agent.received for agent in agents) > 4
        assert sum(first.proxies.resources_sent.values()) == sum(agent.received for agent in agents)
        before = [agent.received for agent in agents]
        for agent in agents:
            agent.reconnect()
        second = ControlPlane(SERVICES | callers, bounds=Bounds(at_once=8))
        await storm(second)
        assert [agent.received for agent in agents] == before
        assert sum(second.proxies.resources_sent.values()) == 0

    run(scene)


def test_those_who_stand_get_their_change_while_others_wait_to_begin() -> None:
    callers = clients(nodes=4, of_each=25)
    standing, *sleepers = agents_of(callers)

    async def scene() -> None:
        control_plane = ControlPlane(SERVICES | callers, bounds=Bounds(at_once=2, patience_s=1000))
        async with control_plane.running() as start:
            start(control_plane.serve(standing))
            start(standing.talk())
            await control_plane.until(lambda: control_plane.is_full([standing]))
            for agent in sleepers:  # they open streams and say nothing: all places are taken, and stay so
                start(control_plane.serve(agent))
            await control_plane.until(lambda: len(control_plane.proxies.streams()) == 3)
            before = standing.received
            control_plane.hear("node", (simple("a", address="10.0.0.9"), simple("b")))
            await control_plane.until(lambda: standing.received > before)
            assert len(control_plane.proxies.streams()) == 3

    run(scene)


def test_a_peer_that_shouts_is_read_at_its_pace_and_takes_from_nobody() -> None:
    callers = clients(nodes=2, of_each=1)
    loud, quiet = agents_of(callers)
    limits = Limits(requests_of_stream=Rate(per_s=0.001, burst=50))

    async def shout() -> None:
        number = 0
        while True:
            number += 1
            await loud.say([encode_request(CLUSTER, subscribe=[f"no-{number}"])])

    async def read_on() -> None:
        while True:
            await loud.wire.down.get()

    async def scene() -> None:
        control_plane = ControlPlane(SERVICES | callers, limits=limits, pace=lambda: 0.0)
        async with control_plane.running() as start:
            for work in (control_plane.serve(loud), shout(), read_on()):
                start(work)
            await control_plane.until(lambda: bool(control_plane.refusals.counts))
            start(control_plane.serve(quiet))
            start(quiet.talk())
            await control_plane.until(lambda: control_plane.is_full([quiet]))
            for change in range(20):
                before = quiet.received
                control_plane.hear("node", (simple("a", address=f"10.0.1.{change}"), simple("b")))
                await control_plane.until(lambda before=before: quiet.received > before)  # type: ignore[misc]
            stream = control_plane.proxies.stream_of(loud.workload)
            assert stream is not None
            assert stream.requests == 51
            assert dict(control_plane.refusals.counts) == {("pace of stream", "node-0"): 1}

    run(scene)


def test_a_nodes_streams_share_its_pace() -> None:
    callers = clients(nodes=2, of_each=5)
    agents = agents_of(callers)
    limits = Limits(requests_of_node=Rate(per_s=0.001, burst=20))

    async def shout(agent: Agent) -> None:
        while True:
            await agent.say([encode_request(ENDPOINT, subscribe=["no"])])

    async def scene() -> None:
        control_plane = ControlPlane(callers, limits=limits, pace=lambda: 0.0)
        async with control_plane.running() as start:
            for agent in agents[:5]:
                start(control_plane.serve(agent))
                start(shout(agent))
            start(control_plane.serve(agents[5]))
            start(agents[5].talk())
            await control_plane.until(lambda: control_plane.is_full(agents[5:6]))
            refused = control_plane.refusals.counts
            await control_plane.until(lambda: refused.get(("pace of stream", "node-0"), 0) == 5)
            assert sum(s.requests for s in control_plane.proxies.streams() if s.node == "node-0") == 25
            assert ("pace of stream", "node-1") not in refused

    run(scene)


def test_a_peer_that_never_reads_holds_one_response_per_type_and_ends_when_another_takes_over() -> None:
    callers = clients(nodes=1, of_each=1)
    (deaf,) = agents_of(callers)

    async def scene() -> None:
        control_plane = ControlPlane(SERVICES | callers)
        async with control_plane.running() as start:
            deaf.reconnect(room=1)
            first = deaf.wire
            await deaf.say([encode_request(CLUSTER)])
            ended = start(_refused(control_plane, deaf))
            await control_plane.until(lambda: len(control_plane.proxies.streams()) == 1)
            stream = control_plane.proxies.stream_of(deaf.workload)
            assert stream is not None
            await deaf.say(
                [encode_request(ENDPOINT, subscribe=["outbound|9080||a.default.svc.cluster.local"])]
            )
            for change in range(200):
                control_plane.hear("node", (simple("a", address=f"10.0.1.{change}"), simple("b")))
                await control_plane.world.commit(Change())
                control_plane.proxies.check_overdue()
                assert stream.held <= 2 * 2
            assert control_plane.world.generation > 200
            deaf.reconnect()
            start(control_plane.serve(deaf))
            await ended
            assert first.down.full()

    run(scene)


async def _refused(control_plane: ControlPlane, agent: Agent) -> None:
    with pytest.raises(PeerRefused, match="another stream of this workload has taken over"):
        await control_plane.serve(agent)


def test_who_finds_the_queue_full_is_told_when_to_come_back() -> None:
    callers = clients(nodes=2, of_each=6)
    agents = agents_of(callers)

    async def scene() -> None:
        bounds = Bounds(at_once=1, waiting=4, waiting_of_node=3, patience_s=1000)
        control_plane = ControlPlane(callers, bounds=bounds)
        async with control_plane.running() as start:
            for agent in agents[:4]:
                start(control_plane.serve(agent))
            await asyncio.sleep(0)  # each has come to the gate
            assert control_plane.gate.waiting == 3
            for agent, reason, next_one in (
                (agents[4], "queue of node full", [agents[6]]),
                (agents[7], "queue full", []),
            ):
                with pytest.raises(NotNow, match=reason) as refused:
                    await control_plane.serve(agent)
                assert retry_after(str(refused.value)) > 0
                for each in next_one:
                    start(control_plane.serve(each))
                await asyncio.sleep(0)
                assert control_plane.gate.waiting == 4
            counts = control_plane.refusals.counts
            assert counts == {("queue of node full", "node-0"): 1, ("queue full", "node-1"): 1}

    run(scene)


def test_who_hangs_up_while_waiting_leaves_the_queue() -> None:
    callers = clients(nodes=1, of_each=3)
    agents = agents_of(callers)

    async def scene() -> None:
        control_plane = ControlPlane(callers, bounds=Bounds(at_once=1, patience_s=1000))
        async with control_plane.running() as start:
            opened = [start(control_plane.serve(agent)) for agent in agents]
            await asyncio.sleep(0)
            assert control_plane.gate.waiting == 2
            opened[1].cancel()
            await asyncio.wait([opened[1]])
            assert control_plane.gate.waiting == 1
            opened[0].cancel()
            await control_plane.until(lambda: control_plane.proxies.stream_of(agents[2].workload) is not None)
            assert control_plane.proxies.stream_of(agents[1].workload) is None

    run(scene)


def test_a_stream_that_asks_for_too_much_ends_with_the_reason() -> None:
    callers = clients(nodes=1, of_each=1)
    (greedy,) = agents_of(callers)
    limits = Limits(names_per_stream=100, request_bytes=10_000, streams_of_node=Rate(per_s=0.1, burst=2))
    limits = replace(limits, streams_of_workload=Rate(per_s=0.1, burst=1))

    async def scene() -> None:
        control_plane = ControlPlane(callers, limits=limits, pace=lambda: 0.0)
        async with control_plane.running():
            for names, reason in ((101, "subscriptions to 101 names"), (2_000, "a request of")):
                greedy.reconnect()
                await greedy.say([encode_request(ENDPOINT, subscribe=[f"n-{each}" for each in range(names)])])
                with pytest.raises(PeerRefused, match=reason):
                    await control_plane.serve(greedy)
            assert control_plane.proxies.streams() == ()
            assert control_plane.gate.filling == 0
            greedy.reconnect()
            await greedy.say([b"\xff"])
            with pytest.raises(PeerRefused, match="not a DeltaDiscoveryRequest"):
                await control_plane.serve(greedy)
            with pytest.raises(NotNow, match="opens too many streams"):
                await control_plane.serve(greedy)
            assert dict(control_plane.refusals.counts) == {
                ("names of stream", "node-0"): 1,
                ("size of request", "node-0"): 1,
                ("streams of node", "node-0"): 1,
            }

    run(scene)


def test_sessions_and_signatures_of_a_node_are_bounded() -> None:
    callers = clients(nodes=1, of_each=2)
    limits = Limits(
        sessions_per_node=2,
        state_bytes=100,
        signs_of_node=Rate(per_s=0.1, burst=1),
        signs_of_workload=Rate(per_s=0.1, burst=1),
    )

    async def scene() -> None:
        control_plane = ControlPlane(callers, limits=limits, pace=lambda: 0.0)
        nodes = control_plane.nodes
        lines = [NodeLine(node="node-0", is_local=False) for _ in range(3)]
        nodes.arrived(lines[0])
        nodes.arrived(lines[1])
        with pytest.raises(NotNow, match="has 2 sessions open"):
            nodes.arrived(lines[2])
        with pytest.raises(PeerRefused, match="a state of 101 bytes"):
            await nodes.pace(lines[0], b"x" * 101)
        nodes.left(lines[0])
        nodes.arrived(lines[2])
        request = SignRequest(workload=WorkloadId("default", "none"), csr_pem="")
        for _ in range(3):
            with pytest.raises(PeerRefused, match="has not registered"):
                await nodes.sign("node-0", request)
        with pytest.raises(NotNow, match="too many certificates; retry in"):
            await nodes.sign("node-0", request)
        with pytest.raises(PeerRefused):
            await nodes.sign("another", request)

    run(scene)
