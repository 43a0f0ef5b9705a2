"""What a `proa up` that was killed has left: its programs, told by pid and start time from a note in the home.

The kernel asks them to end when `proa up` dies (`runtime.holding`), and they end in order. The next `proa up` waits for
that, so that no two control planes or agents meet, and ends by force what does not. `cli.holding_mesh` calls it.
"""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from proa.core.sidecar.record import ProcessMark
from proa.home import Home, write_private
from proa.runtime.adopted import Adopted, adopt, boot_id, start_time

PATIENCE_S: Final = 30.0
"""The agent drains its workloads and ends their Envoys, all side by side."""


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    boot: str
    programs: tuple[ProcessMark, ...]


def note_programs(home: Home, *pids: int) -> None:
    """Our programs of now, for the next `proa up`. Raises OSError."""
    marks = ((pid, start_time(pid)) for pid in pids)
    programs = tuple(ProcessMark(pid=pid, started=started) for pid, started in marks if started is not None)
    write_private(_path(home), msgspec.json.encode(_Note(boot=boot_id(), programs=programs)))


def forget_programs(home: Home) -> None:
    """They have ended."""
    _path(home).unlink(missing_ok=True)


async def end_earlier(home: Home, say: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
    """Returns when nothing runs any more that the note tells of. The caller holds the home's lock."""
    held = [each for each in _noted(home) if each is not None]
    try:
        if held:
            say("waiting for what an earlier `proa up` has left to end")
        for number, within_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
            for each in held:
                each.send(number)
            try:
                async with asyncio.timeout(within_s):
                    for each in held:
                        await each.wait()
                break
            except TimeoutError:
                continue
    finally:
        for each in held:
            each.close()
    forget_programs(home)


def _noted(home: Home) -> list[Adopted | None]:
    try:
        note = msgspec.json.decode(_path(home).read_bytes(), type=_Note)
    except (OSError, msgspec.DecodeError):
        return []
    if note.boot != boot_id():
        return []
    return [adopt(mark.pid, mark.started) for mark in note.programs]


def _path(home: Home) -> Path:
    return home.path / "up.json"
