"""B15 (a): checks per second and core, and how long one takes at half of what the slower side can do.

Ours and the peer are servers in processes of their own, over the same mTLS, with the same certificates, rules and
questions; one driver asks both and looks at every answer.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.cpu import CpuMeter
from benchmarks.figures import Condition, Figure, Goal, percentile, rounds
from benchmarks.policy.kept import measure_kept
from benchmarks.policy.reports import measure_reports
from benchmarks.policy.scene import SERVER, Asked, Asking, questions
from benchmarks.policy.sides import READY_S, SYSTEMS, Side, System, start_side
from benchmarks.workshop import Workshop, until

PAIRS: Final = 5
SECONDS: Final = 2.5
IN_FLIGHT: Final = 32
GOAL: Final = Goal(ratio=0.5, sense="at least")
"""Set against Mixer's own server, which is compiled and not to be had here: see `reference_us_per_check`."""
REFERENCE_US: Final = 263.0
"""Mixer 1.0, one check over gRPC within a process, as its repository's baselines have it."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    asked: Asked
    cpu: float

    @property
    def per_core(self) -> float:
        return self.asked.calls / self.cpu


async def measure_policy(shop: Workshop, full: bool) -> Sequence[Figure]:
    pairs, seconds = (2 * PAIRS, 4 * SECONDS) if full else (PAIRS, SECONDS)
    figures: list[Figure] = []
    asking = _asking(shop, seconds)
    for rules in (1, 100):
        sides = [await start_side(shop, name, rules) for name in SYSTEMS]
        for side in sides:
            await _ask(shop, side, asking)
        figures += await _measure(shop, sides, asking, pairs, rules)
        await shop.end_all()
    return [*figures, *await measure_reports(shop, full), *await measure_kept(shop, full)]


async def _measure(
    shop: Workshop, sides: Sequence[Side], asking: Asking, pairs: int, rules: int
) -> list[Figure]:
    full: dict[System, list[Window]] = {"ours": [], "naive": []}
    for number, side in rounds(sides, pairs):
        shop.tell(f"{rules} rules, pair {number + 1} of {pairs}: {side.name}, as fast as it answers")
        full[side.name].append(await _ask(shop, side, asking))
    slower = min(each.asked.calls / each.asked.seconds for windows in full.values() for each in windows)
    rate = round(slower / 2)
    half: dict[System, list[Window]] = {"ours": [], "naive": []}
    for number, side in rounds(sides, pairs):
        shop.tell(f"{rules} rules, pair {number + 1} of {pairs}: {side.name}, {rate} a second")
        at_rate = msgspec.structs.replace(asking, rate=float(rate))
        half[side.name].append(await _ask(shop, side, at_rate))
    conditions: dict[str, Condition] = {
        "rules": float(rules),
        "seconds": asking.seconds,
        "connections": float(asking.connections),
        "driver_share": max(each.asked.own_cpu / each.cpu for each in full["ours"]),
        "reference_us_per_check": REFERENCE_US,
        "reference": "Mixer 1.0 in Go, read and not run",
    }
    return [
        _figure(
            f"checks, {rules} rules",
            "1/s CPU",
            [each.per_core for each in full["ours"]],
            [each.per_core for each in full["naive"]],
            {**conditions, "in_flight": float(asking.in_flight)},
            GOAL,
        ),
        _figure(
            f"checks, {rules} rules, p99 at half load",
            "ms",
            [percentile(each.asked.latencies, 99) for each in half["ours"]],
            [percentile(each.asked.latencies, 99) for each in half["naive"]],
            {**conditions, "rate": float(rate)},
            None,
            [
                min(each.asked.calls / (rate * asking.seconds) for each in pair)
                for pair in zip(half["ours"], half["naive"], strict=True)
            ],
        ),
    ]


def _figure(
    name: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    conditions: dict[str, Condition],
    goal: Goal | None,
    achieved: Sequence[float] = (),
) -> Figure:
    return Figure(
        benchmark="B15",
        figure=name,
        unit=unit,
        ours=tuple(ours),
        peer=tuple(peer),
        peer_name="naive grpcio server",
        goal=goal,
        achieved=tuple(achieved),
        conditions=conditions,
    )


def _asking(shop: Workshop, seconds: float) -> Asking:
    key, chain = shop.certificates.workload(SERVER, SERVER.name)
    files, codes = [], []
    for number, (body, code) in enumerate(questions(shop.certificates)):
        file = shop.directory / f"question-{number}"
        file.write_bytes(body)
        files.append(str(file))
        codes.append(code)
    return Asking(
        address="",
        key_pem=key,
        chain_pem=chain,
        root_pem=shop.certificates.root_pem,
        bodies=tuple(files),
        codes=tuple(codes),
        seconds=seconds,
        in_flight=IN_FLIGHT,
    )


async def _ask(shop: Workshop, side: Side, asking: Asking) -> Window:
    file = shop.directory / "asking.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(asking, address=side.address)))
    out = shop.directory / "asker.out"
    out.unlink(missing_ok=True)
    meter = CpuMeter(side.child.pid)
    child = shop.start_python("asker", "benchmarks.policy.asking", str(file), cores=shop.cores.driving)

    async def ended() -> bool:
        return child.code is not None

    await until("the driver ends", ended, asking.seconds + 2 * READY_S)
    if child.code != 0:
        raise RuntimeError(f"{side.name}: {shop.log_of('asker')}")
    return Window(asked=msgspec.json.decode(out.read_bytes(), type=Asked), cpu=meter.lap())
