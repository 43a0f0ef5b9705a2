"""B8: a mesh of 1000 services to the bytes one proxy is sent: the first of its scope, one more, and one change.

Endpoint sets (one endpoint each) are made in the same pass by us, so they count on both sides.

In one process and on CPU time. The peer is what one writes first (`scratch`): protobuf objects for every proxy. It
stands for no compiled control plane: those are out of reach here, and what the reference says of them is quoted in the
conditions, as measured elsewhere.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.figures import Condition, Figure, Goal, rounds
from benchmarks.generation import scratch
from benchmarks.generation.facts import PROXIES, ServiceFacts, changed, clients, facts, told
from benchmarks.generation.ours import Ours
from benchmarks.workshop import Workshop

PEER_NAME = "upb objects from scratch, per proxy"
SERVICES = 1000
PAIRS = 5
SIZE_TOLERANCE = 0.1
ANCHORS: dict[str, Condition] = {
    "anchor_go_vt_1000_clusters_ms": "5.5-6.2 on one core, 3.2-3.3 on four; read, not measured here",
    "anchor_upb_1000_clusters_ms": "11.4-15.6; read, not measured here, clusters of less content",
}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """CPU in ms."""

    cold: float
    warm: float
    changed: float


async def measure_generation(shop: Workshop, full: bool) -> Sequence[Figure]:
    found: list[Figure] = []
    for routes in (0, 100) if full else (0, 10):
        found += await asyncio.to_thread(_measure, shop.tell, routes)
    return found


def _measure(tell: Callable[[str], None], routes: int) -> list[Figure]:
    tell(f"{SERVICES} services, {routes} routes per host: loading")
    services = facts(SERVICES, routes)
    flaws = compare(services[:100])
    samples: list[Sample] = []
    peers: list[float] = []
    for number, side in rounds(("ours", "scratch"), PAIRS):
        tell(f"{routes} routes per host: pair {number + 1} of {PAIRS}: {side}")
        if side == "ours":
            samples.append(_ours(services, number))
        else:
            peers.append(_cpu_ms(lambda: scratch.generate(services)))
    return _figures(routes, samples, peers, flaws)


def _ours(services: tuple[ServiceFacts, ...], number: int) -> Sample:
    ours, loaded = Ours(), Ours.prepared(services)
    edit = told([changed(services[SERVICES // 2], number)])
    return Sample(
        cold=_cpu_ms(lambda: ours.generate(loaded)),
        warm=_cpu_ms(lambda: ours.generate((), PROXIES[1])),
        changed=_cpu_ms(lambda: ours.change(edit)),
    )


def _cpu_ms(work: Callable[[], object]) -> float:
    """Rubbish of before is not this one's cost."""
    gc.collect()
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def compare(services: tuple[ServiceFacts, ...]) -> tuple[str, ...]:
    """Whether both sides make the same, on a few services; what is wrong with the peer if not."""
    names, size = scratch.generate(services)
    ours = Ours()
    ours.generate((clients(),))
    without = ours.generate((), PROXIES[1])
    made = ours.generate((told(services),)) - without
    missing = names - ours.names
    flaws = [f"the peer makes {sorted(missing)[0]}, we do not"] if missing else []
    if abs(size - made) > SIZE_TOLERANCE * made:
        flaws.append(f"of the same services the peer makes {size} bytes, we {made}")
    return tuple(flaws)


def _figures(
    routes: int, samples: Sequence[Sample], peers: Sequence[float], flaws: tuple[str, ...]
) -> list[Figure]:
    cold = tuple(each.cold for each in samples)
    shape = f"{SERVICES} services x {routes} routes" if routes else f"{SERVICES} services"

    def figure(
        text: str, ours: Sequence[float], peer: Sequence[float], peer_name: str, goal: float
    ) -> Figure:
        return Figure(
            benchmark="B8",
            figure=f"{text}, {shape}",
            unit="CPU ms",
            ours=tuple(ours),
            peer=tuple(peer),
            peer_name=peer_name,
            goal=Goal(ratio=goal),
            conditions={"services": SERVICES, "routes_per_host": routes, **ANCHORS},
            flaws=flaws,
        )

    return [
        figure("CDS+EDS+LDS+RDS cold", cold, peers, PEER_NAME, 1.0),
        figure("one more proxy of the scope", [each.warm for each in samples], peers, PEER_NAME, 0.2),
        figure("one service changed", [each.changed for each in samples], cold, "our own cold", 0.02),
    ]
