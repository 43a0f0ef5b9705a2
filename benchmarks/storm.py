"""B11: the control plane dies, comes back, and every proxy of the mesh connects in the same moment.

The server is killed and started again at its address with what it keeps itself (ours: its store; the naive one:
nothing). The nodes whose services are seen come first and one endpoint has changed meanwhile; then all nodes of the
swarm connect at once, hold a session and open their streams, without the jitter that agents have. A proxy is done
when it has an answer to clusters, endpoints, listeners and routes and the endpoint that changed: as a new proxy that
holds nothing, or as one that came back and says which versions it holds (`initial_resource_versions`).
"""

from collections.abc import Sequence

import msgspec

from benchmarks.cpu import resident_bytes
from benchmarks.figures import Condition, Figure, Goal, rounds
from benchmarks.propagation.mesh import PER_NODE, Shape
from benchmarks.propagation.share import share_conditions
from benchmarks.propagation.swarm import Command
from benchmarks.propagation.systems import System, naive_system, open_servers, our_system
from benchmarks.workshop import Workshop

PEER_NAME = "naive grpcio ADS server"
SERVICES = 50
MIB = 2**20


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """One return. CPU is the server's from when it serves to when the last proxy is done; `peak` its largest size in
    bytes since it started; `resources` what all proxies together were sent."""

    took_ms: float
    cpu_ms: float
    peak: float
    refused: float
    resources: float
    swarm_share: float


async def measure_storm(shop: Workshop, full: bool) -> Sequence[Figure]:
    proxies, pairs = (1000, 5) if full else (300, 5)
    shape = Shape(proxies=proxies, services=SERVICES)
    shop.tell(f"{proxies} proxies: starting")
    ours, naive = await our_system(shop, shape), await naive_system(shop, shape)
    found: list[Figure] = []
    for forget, label in ((True, "as new"), (False, "with initial versions")):
        storms: dict[str, list[Storm]] = {ours.name: [], naive.name: []}
        for number, system in rounds((ours, naive), pairs):
            shop.tell(f"{proxies} proxies {label}: pair {number + 1} of {pairs}: {system.name}")
            storms[system.name].append(await _storm(shop, system, shape, forget))
        found += _figures(shape, label, storms[ours.name], storms[naive.name])
    return found


async def _storm(shop: Workshop, system: System, shape: Shape, forget: bool) -> Storm:
    await system.swarm.ask(Command(drop=True))
    for session in system.sessions.values():
        session.close()
    await system.host.restart()
    system.number += 1
    system.sessions = await open_servers(shop, system.serving, shape, system.number)
    cpu, before = system.cpu(), await system.swarm.ask(Command())
    goal = Command(storm=True, forget=forget, until=system.number, endpoint_sets=shape.visible, full=True)
    report = await system.swarm.ask(goal)
    used = system.cpu() - cpu
    return Storm(
        took_ms=report.took_ms,
        cpu_ms=used * 1000,
        peak=resident_bytes(system.pid, peak=True),
        refused=report.refused - before.refused,
        resources=report.resources,
        swarm_share=(report.cpu - before.cpu) / used if used else 0.0,
    )


def _figures(shape: Shape, label: str, ours: Sequence[Storm], peer: Sequence[Storm]) -> list[Figure]:
    conditions: dict[str, Condition] = {
        "proxies": shape.proxies,
        "connections": -(-shape.proxies // PER_NODE),
        "services": shape.visible,
        "mode": label,
        "resources_sent_ours": [each.resources for each in ours],
        "resources_sent_peer": [each.resources for each in peer],
        "proxies_per_s_ours": [round(shape.proxies / each.took_ms * 1000) for each in ours],
        **share_conditions([each.swarm_share for each in ours], [each.swarm_share for each in peer]),
    }

    def figure(text: str, unit: str, field: str, goal: Goal | None, scale: float = 1.0) -> Figure:
        return Figure(
            benchmark="B11",
            figure=f"{text}, {shape.proxies} proxies {label}",
            unit=unit,
            ours=tuple(getattr(each, field) / scale for each in ours),
            peer=tuple(getattr(each, field) / scale for each in peer),
            peer_name=PEER_NAME,
            goal=goal,
            conditions=conditions,
        )

    return [
        figure("until the last has all", "ms", "took_ms", Goal(ratio=1.0)),
        figure("refused streams", "streams", "refused", Goal(ratio=0.0, of="ours")),
        figure("server CPU per proxy", "ms", "cpu_ms", None, scale=shape.proxies),
        figure("peak memory of the server", "MiB", "peak", None, scale=MIB),
    ]
