"""B9: one endpoint of a service that every proxy sees changes its health; how long until every proxy has it.

Idle, one change after the other; and busy, twenty a second. Time runs from the node's message that says so to the
first byte of the response at each proxy and to the writing of its ACK, on one monotonic clock. A proxy has a change
when it got that one or a later one: servers may skip what is stale.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.figures import Condition, Figure, Goal, Skipped, percentile, rounds
from benchmarks.propagation.ideal import ideal_push_ms
from benchmarks.propagation.mesh import Shape
from benchmarks.propagation.share import share_conditions
from benchmarks.propagation.sovereign import PEER_NAME as SOVEREIGN
from benchmarks.propagation.sovereign import SovereignSystem, sovereign_system
from benchmarks.propagation.swarm import Sample
from benchmarks.propagation.systems import System, naive_system, our_system
from benchmarks.workshop import Workshop

PEER_NAME = "naive grpcio ADS server"
GOAL = Goal(ratio=0.05)
SERVICES = 50
RATE = 20
PAUSE_S = 0.05
MIN_CHANGES = 2
Driven = System | SovereignSystem


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds over all proxies and changes of one window; CPU in ms per change."""

    first_p50: float
    first_p99: float
    ack_p50: float
    ack_p99: float
    cpu: float
    swarm_share: float
    achieved: float = 1.0


async def measure_propagation(shop: Workshop, full: bool) -> Sequence[Figure]:
    sizes, pairs = (100, 300, 1000), 7 if full else 5
    samples, seconds = (10_000, 10.0) if full else (1_200, 3.0)
    found: list[Figure] = []
    for proxies in sizes:
        shop.tell(f"{proxies} proxies: starting")
        shape = Shape(proxies=proxies, services=SERVICES)
        ours, naive = await our_system(shop, shape), await naive_system(shop, shape)
        idle: dict[str, list[Window]] = {ours.name: [], naive.name: []}
        busy: dict[str, list[Window]] = {ours.name: [], naive.name: []}
        for number, system in rounds((ours, naive), pairs):
            shop.tell(f"{proxies} proxies: pair {number + 1} of {pairs}: {system.name}")
            idle[system.name].append(await _idle(system, max(MIN_CHANGES, samples // proxies)))
            busy[system.name].append(await _busy(system, seconds))
        ideal = ideal_push_ms(shop.certificates, proxies)
        for label, windows in (("idle", idle), (f"{RATE} changes/s", busy)):
            found += _figures(proxies, label, windows[ours.name], windows[naive.name], ideal, PEER_NAME)
        await shop.end_all()
    try:
        found += await _beside_sovereign(shop, pairs, seconds)
    except Skipped as skipped:
        shop.tell(f"beside sovereign: skipped: {skipped}")
    return found


async def _beside_sovereign(shop: Workshop, pairs: int, seconds: float) -> list[Figure]:
    """Its proxies poll every two seconds, so that few changes fit into a window."""
    shape = Shape(proxies=100, services=SERVICES)
    peer = await sovereign_system(shop, shape)
    ours = await our_system(shop, shape, name="beside-sovereign")
    idle: dict[str, list[Window]] = {ours.name: [], peer.name: []}
    busy: dict[str, list[Window]] = {ours.name: [], peer.name: []}
    both: tuple[Driven, Driven] = (ours, peer)
    for number, system in rounds(both, pairs):
        shop.tell(f"100 proxies beside sovereign: pair {number + 1} of {pairs}: {system.name}")
        idle[system.name].append(await _idle(system, 3))
        busy[system.name].append(await _busy(system, seconds))
    ideal = ideal_push_ms(shop.certificates, shape.proxies)
    return [
        figure
        for label, windows in (("idle", idle), (f"{RATE} changes/s", busy))
        for figure in _figures(100, label, windows[ours.name], windows[peer.name], ideal, SOVEREIGN)
    ]


async def _idle(system: Driven, changes: int) -> Window:
    """One change, until all have it; then the next."""
    await _flip(system)  # warm-up: not counted
    await system.swarm.samples()
    cpu, swarm_cpu = system.cpu(), await system.swarm.cpu()
    sent = {}
    for _ in range(changes):
        at = await _flip(system)
        sent[system.number] = at
        await asyncio.sleep(PAUSE_S)
    return await _window(system, sent, cpu, swarm_cpu)


async def _flip(system: Driven) -> int:
    at = system.flip()
    await system.flipper.answered()
    await system.swarm.until(system.number)
    return at


async def _busy(system: Driven, seconds: float) -> Window:
    """Changes on a fixed schedule, whether or not the last one has arrived."""
    await system.swarm.samples()
    cpu, swarm_cpu = system.cpu(), await system.swarm.cpu()
    sent, start, wanted = {}, time.monotonic(), round(RATE * seconds)
    for number in range(wanted):
        await asyncio.sleep(max(0.0, start + number / RATE - time.monotonic()))
        at = system.flip()
        sent[system.number] = at
    took = time.monotonic() - start + 1 / RATE
    await system.flipper.answered()
    await system.swarm.until(system.number)
    window = await _window(system, sent, cpu, swarm_cpu)
    return msgspec.structs.replace(window, achieved=min(1.0, wanted / RATE / took))


async def _window(
    system: System | SovereignSystem, sent: Mapping[int, int], cpu: float, swarm_cpu: float
) -> Window:
    used, swarm_used = system.cpu() - cpu, await system.swarm.cpu() - swarm_cpu
    first, ack = latencies(sent, await system.swarm.samples())
    return Window(
        first_p50=percentile(first, 50),
        first_p99=percentile(first, 99),
        ack_p50=percentile(ack, 50),
        ack_p99=percentile(ack, 99),
        cpu=used * 1000 / len(sent),
        swarm_share=swarm_used / used if used else 0.0,
    )


def latencies(
    sent: Mapping[int, int], samples: Sequence[Sequence[Sample]]
) -> tuple[list[float], list[float]]:
    """(to the first byte, to the ACK) in ms, one of each per change and proxy. `sent` is change -> ns. Raises
    RuntimeError when a proxy never got a change."""
    first, ack = [], []
    for noted in samples:
        left = iter(noted)
        have = next(left, None)
        for number in sorted(sent):
            while have is not None and have[0] < number:
                have = next(left, None)
            if have is None:
                raise RuntimeError(f"a proxy never got change {number}")
            first.append((have[1] - sent[number]) / 1e6)
            ack.append((have[2] - sent[number]) / 1e6)
    return first, ack


def _figures(
    proxies: int, label: str, ours: Sequence[Window], peer: Sequence[Window], ideal: float, peer_name: str
) -> list[Figure]:
    conditions: dict[str, Condition] = {
        "proxies": proxies,
        "services": SERVICES + 1,
        "mode": label,
        "ideal_push_ms": round(ideal, 3),
        **share_conditions([each.swarm_share for each in ours], [each.swarm_share for each in peer]),
    }
    if label != "idle":
        conditions["achieved_changes_per_s_ours"] = [round(RATE * each.achieved, 2) for each in ours]
        conditions["achieved_changes_per_s_peer"] = [round(RATE * each.achieved, 2) for each in peer]
    achieved = tuple(min(one.achieved, other.achieved) for one, other in zip(ours, peer, strict=True))

    def figure(text: str, unit: str, field: str, goal: Goal | None) -> Figure:
        return Figure(
            benchmark="B9",
            figure=f"{text}, {proxies} proxies, {label}",
            unit=unit,
            ours=tuple(getattr(window, field) for window in ours),
            peer=tuple(getattr(window, field) for window in peer),
            peer_name=peer_name,
            goal=goal,
            achieved=achieved,
            conditions=conditions,
        )

    return [
        figure("p99 to first byte", "ms", "first_p99", GOAL),
        figure("p99 to ACK", "ms", "ack_p99", GOAL),
        figure("p50 to ACK", "ms", "ack_p50", None),
        figure("server CPU per change", "ms", "cpu", None),
    ]
