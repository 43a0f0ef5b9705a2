"""B12: endpoints change all the time, one at each of a hundred services in turn, on a fixed schedule.

What a change costs the server, and whether it keeps up: the backlog of a moment is how many changes that were told by
then some watched proxy does not have yet (every tenth is watched). A server may skip what is stale, so its backlog is
bounded by a round or two; one that only queues shows a backlog that grows with the time.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.cpu import CpuMeter
from benchmarks.figures import Condition, Figure, Goal, rounds
from benchmarks.propagation.mesh import Churn, Shape
from benchmarks.propagation.share import share_conditions
from benchmarks.propagation.swarm import Sample
from benchmarks.propagation.systems import System, naive_system, our_system
from benchmarks.workshop import Workshop

PEER_NAME = "naive grpcio ADS server"
SERVICES = 100
PROXIES = 300
RATES = (10, 50, 100)
PAIRS = 5
LOOKS = 15
WARM_UP = 0.3
"""How often in a window the backlog is looked at, and the part of the window that is over before the first look."""
GROWTH_GOAL = 0.1


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """CPU in ms per change, until the last proxy has the last change; `drain` is how long that took after it was
    told, in ms. `backlog`: changes on their way at evenly spaced moments of the window."""

    cpu: float
    drain: float
    backlog: tuple[int, ...]
    swarm_share: float
    achieved: float


class Driven(msgspec.Struct, frozen=True):
    system: System
    churn: Churn


async def measure_churn(shop: Workshop, full: bool) -> Sequence[Figure]:
    seconds = (120.0 if full else 20.0) / PAIRS
    shape = Shape(proxies=PROXIES, services=SERVICES)
    shop.tell(f"{PROXIES} proxies, {SERVICES} services: starting")
    sides = []
    for make in (our_system, naive_system):
        churn = Churn(SERVICES)
        sides.append(Driven(await make(shop, shape, churn=churn), churn))
    ours, naive = sides
    found: list[Figure] = []
    for rate in RATES:
        windows: dict[str, list[Window]] = {ours.system.name: [], naive.system.name: []}
        for number, side in rounds((ours, naive), PAIRS):
            shop.tell(f"{rate} changes/s: pair {number + 1} of {PAIRS}: {side.system.name}")
            windows[side.system.name].append(await _window(side, rate, seconds))
        found += _figures(rate, seconds, windows[ours.system.name], windows[naive.system.name])
    return found


async def _window(side: Driven, rate: int, seconds: float) -> Window:
    system, swarm = side.system, side.system.swarm
    await swarm.samples()
    cpu, swarm_cpu = CpuMeter(system.pid), await swarm.cpu()
    sent: dict[int, int] = {}
    start, wanted = time.monotonic_ns(), round(rate * seconds)
    for number in range(wanted):
        await asyncio.sleep(max(0.0, (start - time.monotonic_ns()) / 1e9 + number / rate))
        node, workloads = side.churn.next()
        sent[side.churn.number] = system.sessions[node].tell(workloads)
    took = (time.monotonic_ns() - start) / 1e9 + 1 / rate
    await swarm.until(side.churn.number)
    end = time.monotonic_ns()
    used, swarm_used = cpu.lap(), await swarm.cpu() - swarm_cpu
    step = (1 - WARM_UP) / (LOOKS - 1)
    moments = [start + round(seconds * 1e9 * (WARM_UP + step * each)) for each in range(LOOKS)]
    return Window(
        cpu=used * 1000 / wanted,
        drain=(end - sent[side.churn.number]) / 1e6,
        backlog=backlog(sent, await swarm.samples(), moments, SERVICES),
        swarm_share=swarm_used / used if used else 0.0,
        achieved=min(1.0, wanted / rate / took),
    )


def backlog(
    sent: Mapping[int, int], samples: Sequence[Sequence[Sample]], moments: Sequence[int], services: int
) -> tuple[int, ...]:
    """Per moment (ns): the changes told by then that the proxy which is furthest behind does not have. `sent`:
    change -> ns at which it was told; a later change of the same service stands for the earlier."""
    told = sorted(sent.values())
    most = [0] * len(moments)
    for noted in samples:
        arrived = sorted(_arrivals(sent, noted, services))
        for place, moment in enumerate(moments):
            behind = bisect_right(told, moment) - bisect_right(arrived, moment)
            most[place] = max(most[place], behind)
    return tuple(most)


def _arrivals(sent: Mapping[int, int], noted: Sequence[Sample], services: int) -> list[int]:
    """When one proxy had each change, in ns; those that never came are missing."""
    newest: dict[int, list[tuple[int, int]]] = {}
    for number, _, written in noted:
        newest.setdefault(number % services, []).append((number, written))
    found = []
    for number in sent:
        later = [written for other, written in newest.get(number % services, ()) if other >= number]
        if later:
            found.append(min(later))
    return found


def growth(series: Sequence[float], span: float) -> float:
    """How much a backlog grows per change that is told, by least squares: 0 keeps up, 1 works off nothing. `series`
    is evenly spaced; `span` is how many changes are told from its first to its last value."""
    middle = (len(series) - 1) / 2
    mean = sum(series) / len(series)
    spread = sum((place - middle) ** 2 for place in range(len(series)))
    slope = sum((place - middle) * (value - mean) for place, value in enumerate(series)) / spread
    return slope * (len(series) - 1) / span


def _figures(rate: int, seconds: float, ours: Sequence[Window], peer: Sequence[Window]) -> list[Figure]:
    conditions: dict[str, Condition] = {
        "proxies": PROXIES,
        "services": SERVICES,
        "changes_per_s": rate,
        "window_s": seconds,
        "achieved_changes_per_s_ours": [round(rate * each.achieved, 2) for each in ours],
        "achieved_changes_per_s_peer": [round(rate * each.achieved, 2) for each in peer],
        **share_conditions([each.swarm_share for each in ours], [each.swarm_share for each in peer]),
    }
    backlogs: dict[str, Condition] = {
        "looks_per_window": LOOKS,
        "backlog_ours": [float(each) for window in ours for each in window.backlog],
        "backlog_peer": [float(each) for window in peer for each in window.backlog],
    }
    span = rate * seconds * (1 - WARM_UP)
    achieved = tuple(min(one.achieved, other.achieved) for one, other in zip(ours, peer, strict=True))

    def figure(
        text: str, unit: str, mine: Sequence[float], theirs: Sequence[float], goal: Goal | None
    ) -> Figure:
        return Figure(
            benchmark="B12",
            figure=f"{text}, {rate} changes/s, {PROXIES} proxies",
            unit=unit,
            ours=tuple(mine),
            peer=tuple(theirs),
            peer_name=PEER_NAME,
            goal=goal,
            achieved=achieved,
            conditions=conditions | backlogs if text == "growth of the backlog" else conditions,
        )

    def grown(windows: Sequence[Window]) -> list[float]:
        return [growth(each.backlog, span) for each in windows]

    return [
        figure("server CPU per change", "ms", [w.cpu for w in ours], [w.cpu for w in peer], Goal(ratio=0.5)),
        figure(
            "growth of the backlog",
            "per change",
            grown(ours),
            grown(peer),
            Goal(ratio=GROWTH_GOAL, of="ours"),
        ),
        figure(
            "until the last change is everywhere",
            "ms",
            [w.drain for w in ours],
            [w.drain for w in peer],
            None,
        ),
    ]
