"""CPU time of a process, and which cores the parts of a benchmark may use."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time since the process began, threads that ended included; resolution 10 ms."""
    # The second field is the program's name in parentheses and may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def thread_seconds(pid: int) -> float:
    """The same to the nanosecond, of the threads that live now: for processes whose threads neither come nor go
    between two readings. Falls back to `cpu_seconds` where the kernel does not count so."""
    try:
        return sum(
            int(file.read_text().split()[0]) / 1e9 for file in Path(f"/proc/{pid}/task").glob("*/schedstat")
        )
    except (OSError, IndexError, ValueError):
        return cpu_seconds(pid)


class Cores:
    """What is measured gets one core for itself, all that drives it the others; with one core they share."""

    def __init__(self) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.measured = cores[:1]
        self.driving = cores[1:] or cores

    @property
    def are_apart(self) -> bool:
        return self.measured != self.driving

    @staticmethod
    def pinned(cores: list[int], argv: list[str]) -> list[str]:
        """The command line that runs `argv` on those cores."""
        return ["taskset", "-c", ",".join(map(str, cores)), *argv]
