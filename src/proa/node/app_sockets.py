"""Which sockets a process listens on, read from /proc. An app that listens beyond loopback can be reached past its
sidecar, and its user should know; an Envoy that has no admin interface any more may serve."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from proa.core.sidecar.health import Listening, beyond_loopback, parse_listening

_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


def listening_beyond_loopback(pid: int) -> tuple[Listening, ...]:
    """Of the process and its descendants, in its own network namespace. Blocking, a few milliseconds."""
    return beyond_loopback(_listening(pid, _family(pid)))


def listens_on(pid: int, ports: frozenset[int]) -> bool:
    """Whether that very process listens at all, and on each of the ports. Blocking, a few milliseconds."""
    found = {each.port for each in _listening(pid, (pid,))}
    return bool(found) and ports <= found


def _listening(pid: int, family: Iterable[int]) -> list[Listening]:
    inodes = frozenset(inode for each in family for inode in _socket_inodes(each))
    found: list[Listening] = []
    for table in ("tcp", "tcp6"):
        try:
            found.extend(parse_listening(Path(f"/proc/{pid}/net/{table}").read_text(), inodes))
        except OSError:
            continue
    return found


def _family(pid: int) -> Iterator[int]:
    """Processes that end meanwhile, and kernels without `children`, are passed over."""
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        yield current
        for listing in Path(f"/proc/{current}/task").glob("*/children"):
            try:
                waiting.extend(int(child) for child in listing.read_text().split())
            except OSError:
                continue


def _socket_inodes(pid: int) -> Iterator[str]:
    try:
        descriptors = list(os.scandir(f"/proc/{pid}/fd"))
    except OSError:
        return
    for descriptor in descriptors:
        try:
            found = _SOCKET.match(os.readlink(descriptor.path))
        except OSError:
            continue
        if found:
            yield found.group(1)
