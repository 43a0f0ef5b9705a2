"""The Envoys of a home as processes: found by their command lines and ended, without asking any.

The adopting agent uses it, and owners that end while there is no agent. `proa run` and `proa exec` load it with their
part of the agent, so it knows nothing of what Envoys say: that takes libraries of many times their size.
"""

import asyncio
import itertools
import logging
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from proa.home import Home
from proa.node.record_store import FILE, read_record
from proa.node.shared_memory import forget_shared_memory
from proa.runtime.adopted import adopt, start_time

log = logging.getLogger("proa.node.adoption")

TERM_S: Final = 3.0
CONFIG_FLAG: Final = "--config-path"


def envoys_of(home: Home) -> tuple[int, ...]:
    """Every running Envoy that was started from a bootstrap of this home, by us. Blocking.

    Another home may have the same path in another container: the process must also stand in the workload's very
    directory.
    """
    workloads = os.fsencode(home.node_dir / "workloads") + b"/"
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid != os.getuid():
                continue
            bootstrap = word_after((entry / "cmdline").read_bytes().split(b"\0"), CONFIG_FLAG)
            if not bootstrap.startswith(workloads):
                continue
            there, ours = os.stat(entry / "cwd"), os.stat(os.path.dirname(bootstrap))
        except OSError:
            continue
        if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            found.append(int(entry.name))
    return tuple(sorted(found))


def word_after(argv: list[bytes], flag: str) -> bytes:
    return next((value for word, value in itertools.pairwise(argv) if word == flag.encode()), b"")


def stands_in(pid: int, directory: Path) -> bool:
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", directory)
    except OSError:
        return False


async def end_envoys(pids: Iterable[int]) -> None:
    """SIGTERM, and SIGKILL for who stays."""
    held = [adopt(pid, start_time(pid) or -1) for pid in pids]
    going = [each for each in held if each is not None]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for each in going:
            log.warning(
                "an Envoy that belongs to no workload any more (pid %d) gets %s", each.pid, number.name
            )
            each.send(number)
        try:
            async with asyncio.timeout(TERM_S):
                for each in going:
                    await each.wait()
        except TimeoutError:
            going = [each for each in going if not each.is_ended]
            continue
        break
    for one in held:
        if one is not None:
            one.close()


async def end_sidecars_without_agent(home: Home, workload_directory: Path) -> None:
    """For an owner that ends while there is no agent: its own Envoy, and its record. Under the agent's lock."""
    own = [pid for pid in await asyncio.to_thread(envoys_of, home) if stands_in(pid, workload_directory)]
    await end_envoys(own)
    record = await asyncio.to_thread(read_record, workload_directory / FILE)
    if record is not None:
        forget_shared_memory(record.envoy)
    (workload_directory / FILE).unlink(missing_ok=True)
