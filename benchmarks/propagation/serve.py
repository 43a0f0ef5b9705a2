"""Run as a program: the control plane of a home at the given xDS port, as `proa serve` runs it; with a third argument
profiled into that file."""

import asyncio
import cProfile
import sys
from pathlib import Path

from proa.control_plane.options import ServeOptions
from proa.control_plane.run import run


def main(home: str, port: str, profile: str | None = None) -> None:
    options = ServeOptions(home=Path(home), xds_port=int(port), join_port=0, metrics_port=0)
    if profile is None:
        asyncio.run(run(options))
        return
    profiler = cProfile.Profile()
    try:
        profiler.runcall(asyncio.run, run(options))
    finally:
        profiler.dump_stats(profile)


if __name__ == "__main__":
    main(*sys.argv[1:])
