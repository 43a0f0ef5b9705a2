"""B16: the same operations on meshes of every combination of sizes, and how their cost grows with each size.

The figures are exponents, not times: 0 is "does not matter", 1 is "in proportion". A change must cost what it
concerns. A lost index shows here as an exponent of services or proxies that are not concerned.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

from benchmarks.cpu import resident_bytes
from benchmarks.figures import Condition, Figure, Goal, rounds
from benchmarks.growth.fit import exponent, exponents
from benchmarks.growth.operations import OPERATIONS, Costs, Naive, Operator, Ours, one_round
from benchmarks.propagation.mesh import Shape
from benchmarks.propagation.systems import naive_system, our_system
from benchmarks.workshop import Workshop

PEER_NAME = "naive grpcio ADS server"
ROUNDS = 5
AXES: Final = ("services", "proxies", "endpoints of each")
SMALL: Final = ((50, 150), (50, 150), (1, 10))
FULL: Final = ((100, 300, 1000), (50, 150, 500), (1, 10, 100))

GOALS: Final[Mapping[str, tuple[float | None, float | None, float | None]]] = {
    OPERATIONS[0]: (0.1, 1.05, 0.2),
    OPERATIONS[1]: (0.1, 0.1, 0.1),
    OPERATIONS[2]: (1.05, 1.05, None),
}
"""Largest exponent along each axis; None where the operation is about that axis and nothing is asked."""

MEMORY_GOAL: Final = 1.05
Cell = tuple[int, int, int]


async def measure_growth(shop: Workshop, full: bool) -> Sequence[Figure]:
    ours: dict[Cell, Costs] = {}
    peer: dict[Cell, Costs] = {}
    cells = list(product(*(FULL if full else SMALL)))
    for number, cell in enumerate(cells, 1):
        services, proxies, replicas = cell
        shop.tell(
            f"{services} services, {proxies} proxies, {replicas} endpoints each ({number} of {len(cells)})"
        )
        shape = Shape(proxies=proxies, services=services, replicas=replicas)
        try:
            ours[cell], peer[cell] = await _measure(shop, shape, "first")
        except RuntimeError as error:  # a grid with a hole has no exponents: once more
            shop.tell(f"{error}: this cell again")
            await shop.end_all()
            ours[cell], peer[cell] = await _measure(shop, shape, "second")
        await shop.end_all()
    return figures(ours, peer)


async def _measure(shop: Workshop, shape: Shape, attempt: str) -> tuple[Costs, Costs]:
    label = f"{shape.services}-{shape.proxies}-{shape.replicas}-{attempt}"
    systems = await our_system(shop, shape, name=label), await naive_system(shop, shape, name=label)
    operators: tuple[Operator, Operator] = Ours(systems[0], shape), Naive(systems[1], shape)
    costs = Costs(), Costs()
    for side in (0, 1):  # the first of each kind pays for what is made once
        await one_round(operators[side], Costs())
    for _, side in rounds((0, 1), ROUNDS):
        await one_round(operators[side], costs[side])
        pid = operators[side].system.pid
        costs[side].memory.append(resident_bytes(pid) - operators[side].system.empty_bytes)
    return costs


def figures(ours: Mapping[Cell, Costs], peer: Mapping[Cell, Costs]) -> list[Figure]:
    found: list[Figure] = []
    for name in OPERATIONS:
        mine, theirs = _exponents(ours, name), _exponents(peer, name)
        for axis, goal in enumerate(GOALS[name]):
            found.append(
                Figure(
                    benchmark="B16",
                    figure=f"{name}: exponent in {AXES[axis]}",
                    unit="exponent",
                    ours=tuple(each[axis] for each in mine),
                    peer=tuple(each[axis] for each in theirs),
                    peer_name=PEER_NAME,
                    goal=Goal(ratio=goal, of="ours") if goal is not None else None,
                    conditions=_series(ours, peer, name)
                    if axis == 0
                    else {"cells": "in the row of services"},
                )
            )
    return [*found, _memory(ours, peer)]


def _exponents(costs: Mapping[Cell, Costs], name: str) -> list[tuple[float, ...]]:
    """Per round."""
    return [
        exponents({cell: each.operations[name][number] for cell, each in costs.items()})
        for number in range(ROUNDS)
    ]


def _memory(ours: Mapping[Cell, Costs], peer: Mapping[Cell, Costs]) -> Figure:
    """Against what there is once: endpoints, the one view all proxies share, and proxies. A control plane that keeps a
    copy per proxy grows faster than that."""

    def grown(costs: Mapping[Cell, Costs]) -> tuple[float, ...]:
        return tuple(
            exponent({_things(*cell): each.memory[number] for cell, each in costs.items()})
            for number in range(ROUNDS)
        )

    return Figure(
        benchmark="B16",
        figure="memory: exponent in endpoints + services + proxies",
        unit="exponent",
        ours=grown(ours),
        peer=grown(peer),
        peer_name=PEER_NAME,
        goal=Goal(ratio=MEMORY_GOAL, of="ours"),
        conditions={
            f"{side} MB {_label(cell)}": [round(each / 1e6, 1) for each in costs[cell].memory]
            for side, costs in (("ours", ours), ("peer", peer))
            for cell in costs
        },
    )


def _things(services: int, proxies: int, replicas: int) -> float:
    return services * replicas + services + proxies


def _series(ours: Mapping[Cell, Costs], peer: Mapping[Cell, Costs], name: str) -> dict[str, Condition]:
    return {
        f"{side} CPU ms {_label(cell)}": [round(each, 3) for each in costs[cell].operations[name]]
        for side, costs in (("ours", ours), ("peer", peer))
        for cell in costs
    }


def _label(cell: Cell) -> str:
    return "S{} P{} E{}".format(*cell)
