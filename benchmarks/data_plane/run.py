"""B2 (CPU of a sidecar per 1000 requests per second) and B3 (requests per second of one core).

Both run three pairs of Envoys, ours with and without access log and the minimal one, in turns on the same core;
what drives them has the other cores.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.data_plane.load import CONNECTIONS, Window, fixed_rate, need, saturate
from benchmarks.data_plane.minimal import minimal_pair
from benchmarks.data_plane.ours import our_pair
from benchmarks.data_plane.pair import Pair, check
from benchmarks.data_plane.upstream import start_upstream
from benchmarks.figures import Figure, Goal, rounds
from benchmarks.workshop import Workshop

PEER, LOGGING, SILENT = "minimal", "ours", "ours-nolog"
PEER_NAME = "minimal Envoy pair with mTLS"
VARIANTS = {LOGGING: "as shipped (access log on)", SILENT: "access log off"}
SATURATED = 0.9
"""Share of its core that a pair must have used for its throughput to be the core's, and not the machine's load."""

Windows = dict[str, list[Window]]


async def measure_cpu(shop: Workshop, full: bool) -> Sequence[Figure]:
    need("h2load", "taskset")
    rate, warm_up, seconds, pairs = (1000, 3.0, 30.0, 7) if full else (1000, 0.5, 3.0, 8)
    upstream, windows = await _alternate(
        shop, pairs, lambda pair: fixed_rate(shop, pair, rate, warm_up, seconds)
    )
    conditions = {**_conditions(shop, upstream), "rate": rate, "seconds": seconds}
    return [
        _figure(
            "B2",
            f"CPU per sidecar, {text}",
            "vCPU/1000 rps",
            windows,
            name,
            _per_sidecar,
            goal,
            {**conditions, **_sides(windows, name)},
        )
        for (name, text), goal in zip(VARIANTS.items(), (Goal(ratio=1.25), Goal(ratio=1.10)), strict=True)
    ]


async def measure_saturation(shop: Workshop, full: bool) -> Sequence[Figure]:
    need("wrk", "taskset")
    warm_up, seconds, pairs = (3.0, 15.0, 7) if full else (1.0, 2.0, 8)
    upstream, windows = await _alternate(shop, pairs, lambda pair: saturate(shop, pair, warm_up, seconds))
    conditions = {**_conditions(shop, upstream), "seconds": seconds}
    found = list[Figure]()
    for name, text in VARIANTS.items():
        shares = {side: min(each.cpu / each.seconds for each in windows[side]) for side in (name, PEER)}
        flaws = [
            f"{side} used only {share:.0%} of its core: something else was the limit"
            for side, share in shares.items()
            if share < SATURATED
        ]
        goal = Goal(ratio=0.92, sense="at least")
        where = {**conditions, "core_share_ours": shares[name], "core_share_peer": shares[PEER]}
        throughput = _figure("B3", f"throughput, {text}", "rps", windows, name, _rps, goal, where, flaws)
        per_core = _figure(
            "B3", f"per core second, {text}", "requests", windows, name, _per_core, goal, where
        )
        found += [per_core, throughput]
    return found


async def _alternate(
    shop: Workshop, pairs: int, measure: Callable[[Pair], Awaitable[Window]]
) -> tuple[str, Windows]:
    app_port, upstream = await start_upstream(shop)
    systems = [
        await minimal_pair(shop, app_port),
        await our_pair(shop, LOGGING, app_port, access_log=True),
        await our_pair(shop, SILENT, app_port, access_log=False),
    ]
    windows: Windows = {pair.name: [] for pair in systems}
    for number, pair in rounds(systems, pairs):
        shop.tell(f"pair {number + 1} of {pairs}: {pair.name}")
        await check(pair)
        windows[pair.name].append(await measure(pair))
        await check(pair)
        _check_logs(shop, pair)
    return upstream, windows


def _check_logs(shop: Workshop, pair: Pair) -> None:
    """The log is written where one is meant to be and nowhere else; it is emptied, lest it fill the disk."""
    files = [shop.directory / f"{pair.name}-{side}.out" for side in ("client", "server")]
    lines = [_size(file) for file in files]
    if any((size > 0) != (pair.name == LOGGING) for size in lines):
        raise RuntimeError(f"{pair.name}: access logs of {lines} bytes")
    for file in files:
        os.truncate(file, 0)


def _size(file: Path) -> int:
    return file.stat().st_size


def _figure(
    benchmark: str,
    name: str,
    unit: str,
    windows: Windows,
    ours: str,
    value: Callable[[Window], float],
    goal: Goal,
    conditions: dict[str, str | float],
    flaws: Sequence[str] = (),
) -> Figure:
    both = list(zip(windows[ours], windows[PEER], strict=True))
    return Figure(
        benchmark=benchmark,
        figure=name,
        unit=unit,
        ours=tuple(value(one) for one, _ in both),
        peer=tuple(value(other) for _, other in both),
        peer_name=PEER_NAME,
        goal=goal,
        achieved=tuple(min(one.achieved, other.achieved) for one, other in both),
        conditions=conditions,
        flaws=tuple(flaws),
    )


def _per_sidecar(window: Window) -> float:
    return window.cpu / 2 / window.requests * 1000


def _rps(window: Window) -> float:
    return window.requests / window.seconds


def _per_core(window: Window) -> float:
    return window.requests / window.cpu


def _conditions(shop: Workshop, upstream: str) -> dict[str, str | float]:
    return {
        "protocol": "HTTP/1.1, keep-alive, 1 kB body, mTLS 1.3 between the sidecars, P-256",
        "connections": CONNECTIONS,
        "envoy_workers": 1,
        "request_ids": "generated on both sides",
        "upstream": upstream,
        "cores": "pair on one core, load and upstream on the others" if shop.cores.are_apart else "shared",
    }


def _sides(windows: Windows, name: str) -> dict[str, str | float]:
    """On which side the cost lies."""

    def middle(side: str, value: Callable[[Window], float]) -> float:
        return median(value(each) for each in windows[side])

    return {
        "client_ratio": round(middle(name, _client) / middle(PEER, _client), 3),
        "server_ratio": round(middle(name, _server) / middle(PEER, _server), 3),
    }


def _client(window: Window) -> float:
    return window.client_cpu / window.requests * 1000


def _server(window: Window) -> float:
    return window.server_cpu / window.requests * 1000
