"""Figures as JSON lines in a file that is committed, and as a table for the one who waits."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.machine import Machine

DEFAULT = Path(__file__).with_name("history.jsonl")


def line_of(figure: Figure, machine: Machine, at: float) -> str:
    """One JSON object. `ours` and `peer` are medians of the raw series."""
    return json.dumps(
        {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
            "benchmark": figure.benchmark,
            "figure": figure.figure,
            "unit": figure.unit,
            "ours": _rounded(median(figure.ours)) if figure.ours else None,
            "peer": _rounded(median(figure.peer)) if figure.peer else None,
            "peer_name": figure.peer_name,
            "ratio": _rounded(figure.ratio),
            "ratios": [_rounded(ratio) for ratio in figure.ratios],
            "goal": str(figure.goal) if figure.goal else None,
            "met": figure.met,
            "problems": list(figure.problems),
            "raw": {
                "ours": [_rounded(each) for each in figure.ours],
                "peer": [_rounded(each) for each in figure.peer],
            },
            "achieved": [_rounded(each) for each in figure.achieved],
            "machine": msgspec.to_builtins(machine),
            "conditions": dict(figure.conditions),
        }
    )


def append(path: Path, figures: Iterable[Figure], machine: Machine, at: float) -> None:
    with path.open("a") as history:
        history.writelines(line_of(figure, machine, at) + "\n" for figure in figures)


def print_table(figures: Iterable[Figure], console: Console) -> None:
    table = Table(title="ours beside its peer, in one run")
    for heading, right in (
        ("benchmark", False),
        ("figure", False),
        ("ours", True),
        ("peer", True),
        ("unit", False),
        ("peer is", False),
        ("ratio (min-max)", True),
        ("goal", True),
        ("met", False),
    ):
        table.add_column(heading, justify="right" if right else "left")
    for figure in figures:
        ratios = figure.ratios or (float("nan"),)
        table.add_row(
            figure.benchmark,
            figure.figure,
            f"{median(figure.ours):.4g}" if figure.ours else "-",
            f"{median(figure.peer):.4g}" if figure.peer else "-",
            figure.unit,
            figure.peer_name,
            f"{figure.ratio:.3f} ({min(ratios):.3f}-{max(ratios):.3f})",
            str(figure.goal) if figure.goal else "",
            _verdict(figure),
        )
    console.print(table)
    for figure in figures:
        for problem in figure.problems:
            console.print(f"invalid: {figure.benchmark} {figure.figure}: {problem}", highlight=False)


def _verdict(figure: Figure) -> str:
    if figure.problems:
        return "invalid"
    return {True: "yes", False: "no", None: ""}[figure.met]


def _rounded(value: float) -> float | None:
    """Six significant digits; JSON has no NaN."""
    return float(f"{value:.6g}") if value == value and abs(value) != float("inf") else None
