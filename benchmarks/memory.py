"""B13: what one more connected proxy costs the control plane's memory.

Streams are added in five equal steps; after each the server has sent everything and has been quiet for a moment, and
its resident size is read. A pair is one step on both sides. The goal is in bytes and is ours alone: what all proxies
share is paid before the first step, so that the slope is what each stream keeps for itself.
"""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.cpu import resident_bytes
from benchmarks.figures import Figure, Goal, rounds
from benchmarks.propagation.mesh import Shape
from benchmarks.propagation.share import share_conditions
from benchmarks.propagation.systems import System, naive_system, our_system
from benchmarks.workshop import Workshop

PEER_NAME = "naive grpcio ADS server"
STEPS = 5
QUIET_S = 1.0
KB = 1000
GOAL_KB = 100
SMALL = ((10, 125, 175), (300, 125, 175), (1000, 100, 50))
FULL = ((10, 125, 375), (300, 125, 375), (1000, 125, 175))
"""(clusters in view, streams at first, streams added by each step)"""


async def measure_memory(shop: Workshop, full: bool) -> Sequence[Figure]:
    found = []
    for clusters, first, step in FULL if full else SMALL:
        found.append(await _slope(shop, clusters, first, step))
        await shop.end_all()
    return found


async def _slope(shop: Workshop, clusters: int, first: int, step: int) -> Figure:
    """Services of one endpoint each: what counts here is how many a proxy has in view."""
    shape = Shape(proxies=first, services=clusters - 1, replicas=1)
    shop.tell(f"{clusters} clusters in view: starting")
    ours, naive = (
        await our_system(shop, shape, name=f"{clusters}"),
        await naive_system(shop, shape, name=f"{clusters}"),
    )
    sizes = {system.name: [await _size(system, shape)] for system in (ours, naive)}
    began = {system.name: (system.cpu(), await system.swarm.cpu()) for system in (ours, naive)}
    for number, system in rounds((ours, naive), STEPS):
        there = first + step * number
        shop.tell(f"{clusters} clusters in view: {there + step} streams: {system.name}")
        await system.add(shop, there, there + step)
        sizes[system.name].append(await _size(system, shape))
    shares = {}
    for system in (ours, naive):
        server, swarm = began[system.name]
        shares[system.name] = (await system.swarm.cpu() - swarm) / max(system.cpu() - server, 0.01)

    def slopes(system: System) -> tuple[float, ...]:
        read = sizes[system.name]
        return tuple((after - before) / step / KB for before, after in pairwise(read))

    return Figure(
        benchmark="B13",
        figure=f"memory per proxy, {clusters} clusters in view",
        unit="kB",
        ours=slopes(ours),
        peer=slopes(naive),
        peer_name=PEER_NAME,
        goal=Goal(ratio=GOAL_KB, of="ours"),
        conditions={
            "streams": [float(first + step * each) for each in range(STEPS + 1)],
            "clusters_in_view": clusters,
            "resident_mb_ours": [round(each / KB / KB, 1) for each in sizes[ours.name]],
            "resident_mb_peer": [round(each / KB / KB, 1) for each in sizes[naive.name]],
            "reference_istiod_kb": "1300-2100, published, elsewhere",
            **share_conditions([shares[ours.name]], [shares[naive.name]]),
        },
    )


async def _size(system: System, shape: Shape) -> int:
    await system.swarm.until(system.number, shape.visible)
    await asyncio.sleep(QUIET_S)
    return resident_bytes(system.pid)
