"""The command: chooses benchmarks, runs them one after the other, prints the table and appends the history.

Exit code: 0 measured (goals missed included: the table says so), 1 a figure is invalid or a benchmark failed,
2 usage.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks import history
from benchmarks.authorization import measure_authorization
from benchmarks.churn import measure_churn
from benchmarks.data_plane.run import measure_cpu, measure_saturation
from benchmarks.expressions import measure_expressions
from benchmarks.figures import Figure, Skipped
from benchmarks.generation.run import measure_generation
from benchmarks.growth.run import measure_growth
from benchmarks.language import measure_language
from benchmarks.machine import describe_machine
from benchmarks.memory import measure_memory
from benchmarks.policy.run import measure_policy
from benchmarks.propagation.run import measure_propagation
from benchmarks.signing import measure_signing
from benchmarks.storm import measure_storm
from benchmarks.telemetry import measure_telemetry
from benchmarks.verdicts import measure_verdicts
from benchmarks.workshop import Workshop


async def _measure_features(workshop: Workshop, full: bool) -> Sequence[Figure]:
    """B5: each feature alone."""
    found: list[Figure] = []
    for measure in (measure_authorization, measure_telemetry, measure_verdicts):
        found += await measure(workshop, full)
    return found


BENCHMARKS: dict[str, Callable[[Workshop, bool], Awaitable[Sequence[Figure]]]] = {
    "B2": measure_cpu,
    "B3": measure_saturation,
    "B5": _measure_features,
    "B8": measure_generation,
    "B9": measure_propagation,
    "B11": measure_storm,
    "B12": measure_churn,
    "B13": measure_memory,
    "B14": measure_signing,
    "B15": measure_policy,
    "B16": measure_growth,
    "EXPRESSIONS": measure_expressions,
    "LANGUAGE": measure_language,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Proa beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--full", action="store_true", help="longer, and with more proxies")
    parser.add_argument("--history", type=Path, default=history.DEFAULT, help="file to append the figures to")
    options = parser.parse_args(argv)
    names = [name.upper() for name in options.names] or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return asyncio.run(_run(names, options.full, options.history))


async def _run(names: Sequence[str], full: bool, path: Path) -> int:
    console = Console(width=None if sys.stdout.isatty() else 150)
    machine = describe_machine()
    started, figures, failed = time.time(), list[Figure](), False
    for name in names:
        try:
            async with Workshop(partial(_tell, name)) as workshop:
                found = await BENCHMARKS[name](workshop, full)
        except Skipped as skipped:
            print(f"{name}: skipped: {skipped}", flush=True)
            continue
        except (TimeoutError, OSError, RuntimeError) as error:
            print(f"{name}: failed: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        history.append(path, found, machine, time.time())
        figures += found
    history.print_table(figures, console)
    print(f"{len(figures)} figures in {time.time() - started:.0f} s")
    return 1 if failed or any(figure.problems for figure in figures) else 0


def _tell(name: str, text: str) -> None:
    print(f"{name}: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
