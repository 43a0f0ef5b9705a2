"""What an earlier agent of this home left running: found, proved to be what its record says, and given a fate.

`node.run` calls it once, before anything of the node is registered. A process is believed to be the recorded one when
pid, start time and boot agree, and an Envoy when its admin socket is listened on by that very process and answers.
What nobody can claim is ended here: an Envoy whose record says nothing of use, or that has none.
"""

import asyncio
import itertools
import logging
import os
import signal
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from proa.core.sidecar.record import Fate, ProcessMark, Record, Seen, fate_of
from proa.home import Home
from proa.node.envoy_admin import EnvoyAdmin
from proa.node.record_store import FILE, read_record, read_records
from proa.node.shared_memory import forget_shared_memory
from proa.runtime.adopted import Adopted, adopt, boot_id, start_time

log = logging.getLogger("proa.node.adoption")

ANSWER_S: Final = 5.0
"""An Envoy that serves answers in milliseconds, also where the machine is busy; one that does not in this time is
started again."""
TERM_S: Final = 3.0
CONFIG_FLAG: Final = "--config-path"


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A workload of an earlier agent. `envoy` is held when it goes on serving, `owner` when it lives."""

    record: Record
    fate: Fate
    envoy: Adopted | None = None
    owner: Adopted | None = None


async def find_earlier(home: Home, address: str) -> tuple[Earlier, ...]:
    """Those that go on, in the order of their names. Everything else that was left is gone on return."""
    records = await asyncio.to_thread(read_records, home)
    async with asyncio.TaskGroup() as tasks:
        looking = [
            tasks.create_task(_look(home, record, address), name=f"adoption {record.spec.id}")
            for record in records.values()
        ]
    found = [task.result() for task in looking]
    kept = tuple(each for each in found if each.fate != "forget")
    serving = {each.envoy.pid for each in kept if each.envoy is not None}
    orphans = [pid for pid in await asyncio.to_thread(envoys_of, home) if pid not in serving]
    await _end(orphans)
    for directory, earlier in zip(records, found, strict=True):
        if earlier.fate == "forget":
            (directory / FILE).unlink(missing_ok=True)
        if earlier.envoy is None:
            forget_shared_memory(earlier.record.envoy)
        log.info("%s: %s", earlier.record.spec.id, _WORDS[earlier.fate])
    return kept


_WORDS: Final[dict[Fate, str]] = {
    "adopt": "adopted from an earlier agent",
    "restart": "its Envoy is gone or does not answer and is started again",
    "drain": "its owner has ended: drained and removed",
    "forget": "left by an earlier agent and removed",
}


async def _look(home: Home, record: Record, address: str) -> Earlier:
    boot = boot_id()
    owner = _held(record.owner) if record.boot == boot else None
    envoy = _held(record.envoy.process) if record.boot == boot and record.envoy else None
    serves = envoy is not None and await _serves(home, record, envoy.pid)
    seen = Seen(boot=boot, address=address, owner_lives=owner is not None, serves=serves)
    fate = fate_of(record, seen)
    if envoy is not None and fate not in ("adopt", "drain"):
        envoy.close()
        envoy = None
    return Earlier(record=record, fate=fate, envoy=envoy, owner=owner)


def _held(mark: ProcessMark | None) -> Adopted | None:
    return None if mark is None else adopt(mark.pid, mark.started)


async def _serves(home: Home, record: Record, pid: int) -> bool:
    path = home.workload_socket(str(record.spec.id), "admin")
    if _listener_of(path) != pid:
        return False
    ports = frozenset(port.sidecar_port for port in record.ports)
    if record.outbound_port is not None:
        ports |= {record.outbound_port}
    try:
        async with asyncio.timeout(ANSWER_S), EnvoyAdmin(path) as admin:
            return await admin.serves(ports)
    except TimeoutError:
        return False


def _listener_of(path: Path) -> int:
    """The pid of the process that listens at a Unix socket, 0 for none: the kernel remembers who called listen(2)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except OSError:
            return 0
        pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(pid)


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
            bootstrap = _bootstrap_of((entry / "cmdline").read_bytes().split(b"\0"))
            if not bootstrap.startswith(workloads):
                continue
            there, ours = os.stat(entry / "cwd"), os.stat(os.path.dirname(bootstrap))
        except OSError:
            continue
        if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            found.append(int(entry.name))
    return tuple(sorted(found))


def _bootstrap_of(argv: list[bytes]) -> bytes:
    flag = CONFIG_FLAG.encode()
    return next((value for word, value in itertools.pairwise(argv) if word == flag), b"")


async def _end(pids: Iterable[int]) -> None:
    """SIGTERM, and SIGKILL for who stays."""
    held = [_held(ProcessMark(pid=pid, started=start_time(pid) or -1)) for pid in pids]
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
    own = [pid for pid in await asyncio.to_thread(envoys_of, home) if _stands_in(pid, workload_directory)]
    await _end(own)
    record = await asyncio.to_thread(read_record, workload_directory / FILE)
    if record is not None:
        forget_shared_memory(record.envoy)
    (workload_directory / FILE).unlink(missing_ok=True)


def _stands_in(pid: int, directory: Path) -> bool:
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", directory)
    except OSError:
        return False
