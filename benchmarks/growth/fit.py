"""Exponents of growth. Pure.

A cost that is c * S^a * P^b * E^c is a plane in logarithms; on a full grid its slope along one axis is found without
the others, because every value of one axis meets every combination of the others.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

Cell = TypeVar("Cell", bound=tuple[float, ...])


def exponents(costs: Mapping[Cell, float]) -> tuple[float, ...]:
    """One exponent per axis, by least squares of logarithms. Raises ValueError unless the cells are a full grid of at
    least two values per axis and every cost is above zero."""
    axes = [sorted({cell[axis] for cell in costs}) for axis in range(len(next(iter(costs), ())))]
    if not axes or any(len(values) < 2 for values in axes):
        raise ValueError("an exponent needs two values of each axis")
    if len(costs) != math.prod(len(values) for values in axes):
        raise ValueError("the cells are no full grid")
    logs = {cell: _log(cost) for cell, cost in costs.items()}
    return tuple(
        _slope([_log(cell[axis]) for cell in logs], list(logs.values())) for axis in range(len(axes))
    )


def exponent(costs: Mapping[float, float]) -> float:
    """Along one axis."""
    return exponents({(size,): cost for size, cost in costs.items()})[0]


def _log(value: float) -> float:
    if value <= 0:
        raise ValueError(f"{value:g} has no logarithm: a cost must be above zero")
    return math.log(value)


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    middle, mean = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - middle) * (y - mean) for x, y in zip(xs, ys, strict=True)) / sum(
        (x - middle) ** 2 for x in xs
    )
