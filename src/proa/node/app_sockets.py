"""Which sockets an app and its children listen on, read from /proc. An app that listens beyond loopback can be
reached past its sidecar, and its user should know."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proa.core.sidecar.health import Listening, beyond_loopback, parse_listening

_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


def listening_beyond_loopback(pid: int) -> tuple[Listening, ...]:
    """Of the process and its descendants, in its own network namespace. Blocking, a few milliseconds."""
    inodes = frozenset(inode for each in _family(pid) for inode in _socket_inodes(each))
    found: list[Listening] = []
    for table in ("tcp", "tcp6"):
        try:
            found.extend(parse_listening(Path(f"/proc/{pid}/net/{table}").read_text(), inodes))
        except OSError:
            continue
    return beyond_loopback(found)


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
