"""What one measurement says: two interleaved series, their ratio, the goal, and whether the run was good at all.

Pure. Benchmarks fill `Figure`s, `history` writes them. A ratio is the median over pairs of (ours / peer), each
pair measured side by side: on a shared machine a single before and after is worth nothing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")
Condition = str | float | list[float]
MIN_PAIRS = 5
MIN_ACHIEVED = 0.99


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What the ratio ours / peer should be; `of` "ours": what our own value should be, whatever the peer's is
    (exponents, refusals, bounds in bytes)."""

    ratio: float
    sense: Literal["at most", "at least"] = "at most"
    of: Literal["ratio", "ours"] = "ratio"

    def is_met(self, value: float) -> bool:
        return value <= self.ratio if self.sense == "at most" else value >= self.ratio

    def __str__(self) -> str:
        sign = "<=" if self.sense == "at most" else ">="
        return f"{'ours ' if self.of == 'ours' else ''}{sign} {self.ratio:g}"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history. `ours` and `peer` have one value per pair, in the order they were taken.

    `achieved` is, per pair, the smaller of both sides' achieved share of the load that was asked for; empty where
    the load has no target (closed loop). `flaws` are reasons not to trust the figure.
    """

    benchmark: str
    figure: str
    unit: str
    ours: tuple[float, ...]
    peer: tuple[float, ...]
    peer_name: str
    goal: Goal | None = None
    achieved: tuple[float, ...] = ()
    conditions: Mapping[str, Condition] = {}
    flaws: tuple[str, ...] = ()

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(
            ours / peer if peer else math.nan for ours, peer in zip(self.ours, self.peer, strict=True)
        )

    @property
    def ratio(self) -> float:
        return median(self.ratios) if self.ours else math.nan

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the figure is invalid; empty when it may be believed."""
        found = list(self.flaws)
        if len(self.ours) < MIN_PAIRS:
            found.append(f"{len(self.ours)} pairs, fewer than {MIN_PAIRS}")
        if self.achieved and min(self.achieved) < MIN_ACHIEVED:
            found.append(f"only {min(self.achieved):.1%} of the load was achieved")
        counted = self.ours if self.goal is not None and self.goal.of == "ours" else self.ratios
        if any(math.isnan(value) or math.isinf(value) for value in counted):
            found.append("a series holds no number")
        return tuple(found)

    @property
    def met(self) -> bool | None:
        """None: there is no goal, or the figure is invalid."""
        if self.goal is None or self.problems:
            return None
        return self.goal.is_met(median(self.ours) if self.goal.of == "ours" else self.ratio)


def percentile(values: Iterable[float], percent: float) -> float:
    """Nearest rank; NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def rounds(systems: Sequence[T], pairs: int) -> Iterator[tuple[int, T]]:
    """(pair number, system) in the order A B, B A, A B, ...: a drift of the machine hits all alike."""
    for pair in range(pairs):
        for system in systems if pair % 2 == 0 else reversed(systems):
            yield pair, system


class Skipped(Exception):
    """A benchmark that cannot run here; the text says why."""
