"""B5, default telemetry: what counting Istio's standard metrics costs a pair of sidecars, and nothing else.

Both are the minimal pair, written by hand; one has on both sides the very loggers that our translation puts into
listeners, with their rows. They take turns at a fixed rate.
"""

from collections.abc import Sequence
from typing import Final

from benchmarks.data_plane.load import CONNECTIONS, Window, fixed_rate, need
from benchmarks.data_plane.minimal import minimal_pair
from benchmarks.data_plane.pair import check
from benchmarks.data_plane.upstream import start_upstream
from benchmarks.figures import Figure, Goal, rounds
from benchmarks.workshop import Workshop
from proa.core.model.metering import Metering
from proa.core.pilot.translate.filters.metrics import CLIENT, Meter, request_loggers

PEER: Final = "minimal"
OURS: Final = "metered"


async def measure_telemetry(shop: Workshop, full: bool) -> Sequence[Figure]:
    need("h2load", "taskset")
    rate, warm_up, seconds, pairs = (1000, 3.0, 30.0, 9) if full else (1000, 0.5, 3.0, 11)
    app_port, upstream = await start_upstream(shop)
    server = Meter(side="tls", port=8080)
    loggers = request_loggers(Metering(), CLIENT, tunnels=True), request_loggers(Metering(), server)
    systems = [
        await minimal_pair(shop, app_port),
        await minimal_pair(shop, app_port, OURS, loggers),
    ]
    windows: dict[str, list[Window]] = {pair.name: [] for pair in systems}
    for number, pair in rounds(systems, pairs):
        shop.tell(f"telemetry, pair {number + 1} of {pairs}: {pair.name}")
        await check(pair)
        windows[pair.name].append(await fixed_rate(shop, pair, rate, warm_up, seconds))
        await check(pair)
    both = list(zip(windows[OURS], windows[PEER], strict=True))
    return [
        Figure(
            benchmark="B5",
            figure="default telemetry, CPU per request of a pair",
            unit="us",
            ours=tuple(_cost(one) for one, _ in both),
            peer=tuple(_cost(other) for _, other in both),
            peer_name="the same pair without telemetry",
            goal=Goal(ratio=1.10),
            achieved=tuple(min(one.achieved, other.achieved) for one, other in both),
            conditions={
                "rate": float(rate),
                "seconds": seconds,
                "connections": float(CONNECTIONS),
                "upstream": upstream,
                "series of a request": "4 on each side, one tag each",
            },
            flaws=() if shop.cores.are_apart else ("one core for all",),
        )
    ]


def _cost(window: Window) -> float:
    return window.cpu / window.requests * 1e6
