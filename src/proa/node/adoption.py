"""What an earlier agent of this home left running: found, proved to be what its record says, and given a fate.

`node.run` calls it once, before anything of the node is registered. A process is believed to be the recorded one when
pid, start time and boot agree, and an Envoy when its admin socket is listened on by that very process and answers.
What nobody can claim is ended here: an Envoy whose record says nothing of use, or that has none.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

import msgspec

from proa.core.sidecar.bootstrap import EPOCH_FLAG
from proa.core.sidecar.record import (
    Fate,
    HeirMark,
    ProcessMark,
    Record,
    Seen,
    Sight,
    Stage,
    fate_of,
    stage_of,
)
from proa.home import Home
from proa.node.app_sockets import listens_on
from proa.node.envoy import Family
from proa.node.envoy_admin import EnvoyAdmin, listener_of
from proa.node.envoy_processes import end_envoys, envoys_of, stands_in, word_after
from proa.node.record_store import FILE, read_records
from proa.node.shared_memory import forget_shared_memory
from proa.runtime.adopted import Adopted, adopt, boot_id, start_time

log = logging.getLogger("proa.node.adoption")

ANSWER_S: Final = 5.0
"""An Envoy that serves answers in milliseconds, also where the machine is busy; one that does not in this time is
started again."""


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A workload of an earlier agent. `envoy` are the processes that go on serving, `owner` is held when it lives."""

    record: Record
    fate: Fate
    envoy: Family | None = None
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
    serving = {held.pid for each in kept if each.envoy is not None for held in each.envoy.processes}
    orphans = [pid for pid in await asyncio.to_thread(envoys_of, home) if pid not in serving]
    await end_envoys(orphans)
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
    is_this_boot = record.boot == boot
    owner = _held(record.owner) if is_this_boot else None
    heir_mark = await asyncio.to_thread(_find_heir, home, record) if is_this_boot and record.heir else None
    envoy = _held(record.envoy.process) if is_this_boot and record.envoy else None
    heir = _held(heir_mark.process) if heir_mark else None
    elder = _held(record.elder) if is_this_boot else None
    seen = Seen(
        boot=boot,
        address=address,
        owner_lives=owner is not None,
        envoy=await _sight(home, record, envoy),
        heir=await _sight(home, record, heir),
        elder_lives=elder is not None,
    )
    fate, stage = fate_of(record, seen), stage_of(record, seen)
    family = None
    if stage is not None and fate in ("adopt", "drain"):
        family = _family(stage, record, heir_mark, envoy, heir, elder)
    for each in (envoy, heir, elder):
        if each is not None and (family is None or each not in family.processes):
            each.close()
    return Earlier(record=record, fate=fate, envoy=family, owner=owner)


def _family(
    stage: Stage,
    record: Record,
    heir_mark: HeirMark | None,
    envoy: Adopted | None,
    heir: Adopted | None,
    elder: Adopted | None,
) -> Family | None:
    if stage == "promoted":
        promoted = heir_mark.promoted() if heir_mark else None
        if heir is None or promoted is None:
            return None
        before = record.envoy.process if envoy is not None and record.envoy else None
        return Family(stage=stage, envoy=heir, mark=promoted, elder=envoy, elder_mark=before)
    if envoy is None or record.envoy is None:
        return None
    return Family(
        stage=stage,
        envoy=envoy,
        mark=record.envoy,
        heir=heir if stage == "replacing" else None,
        heir_mark=heir_mark if stage == "replacing" else None,
        elder=elder,
        elder_mark=record.elder if elder is not None else None,
    )


def _find_heir(home: Home, record: Record) -> HeirMark | None:
    """The recorded heir with its process, which an agent that was killed just then has not written down. Blocking."""
    mark = record.heir
    if mark is None or mark.process is not None:
        return mark
    directory = home.workload_dir(str(record.spec.id))
    for pid in envoys_of(home):
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        started = start_time(pid)
        if stands_in(pid, directory) and word_after(argv, EPOCH_FLAG) == str(mark.epoch).encode() and started:
            return msgspec.structs.replace(mark, process=ProcessMark(pid=pid, started=started))
    return None


def _held(mark: ProcessMark | None) -> Adopted | None:
    return None if mark is None else adopt(mark.pid, mark.started)


async def _sight(home: Home, record: Record, envoy: Adopted | None) -> Sight:
    if envoy is None:
        return "gone"
    path = home.workload_socket(str(record.spec.id), "admin")
    ports = frozenset(port.sidecar_port for port in record.ports)
    if record.outbound_port is not None:
        ports |= {record.outbound_port}
    if listener_of(path) != envoy.pid:
        return "listens" if await asyncio.to_thread(listens_on, envoy.pid, ports) else "lives"
    try:
        async with asyncio.timeout(ANSWER_S), EnvoyAdmin(path) as admin:
            return "serves" if await admin.serves(ports) else "lives"
    except TimeoutError:
        return "lives"
