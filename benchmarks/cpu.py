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


class CpuMeter:
    """CPU seconds of one process since the last reading: to the nanosecond while its threads stay the same, else to
    10 ms."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._threads, self._whole = self._read()

    def _read(self) -> tuple[dict[str, int], float]:
        threads = {}
        for task in Path(f"/proc/{self._pid}/task").iterdir():
            try:
                threads[task.name] = int((task / "schedstat").read_text().split()[0])
            except (
                OSError,
                IndexError,
                ValueError,
            ):  # a thread that has just ended, or a kernel that does not count
                continue
        return threads, cpu_seconds(self._pid)

    def lap(self) -> float:
        before, whole = self._threads, self._whole
        self._threads, self._whole = self._read()
        if before and before.keys() <= self._threads.keys():
            return sum(ns - before.get(thread, 0) for thread, ns in self._threads.items()) / 1e9
        return self._whole - whole


def resident_bytes(pid: int, *, peak: bool = False) -> int:
    """What the process occupies now, or at most since it began."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(wanted):
            return int(line.split()[1]) * 1024
    raise OSError(f"process {pid} has no {wanted} any more")


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
