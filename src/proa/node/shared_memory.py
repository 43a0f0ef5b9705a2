"""What an Envoy that can be hot-restarted has in shared memory: a hundred bytes, which it leaves for ever, and in them
a note that an heir is starting, which one that dies early leaves too."""

import logging
import os
import struct
from pathlib import Path
from typing import Final

from proa.core.sidecar.record import EnvoyMark

log = logging.getLogger("proa.node.shared_memory")

FOLDER = Path("/dev/shm")
SIZE: Final = 104
FLAGS_AT: Final = 96
"""Envoy's `SharedMemory` of hot restart version 11: its size and version, two locks of 40 bytes, flags."""


def forget_shared_memory(mark: EnvoyMark | None, folder: Path = FOLDER) -> None:
    """Called when the Envoy of that mark, and every successor of its base id, has ended."""
    if mark is not None and mark.base_id is not None:
        _file(folder, mark.base_id).unlink(missing_ok=True)


def forget_heir(base_id: int, folder: Path = FOLDER) -> None:
    """Called when no heir of that base id lives, before one is started: an Envoy refuses to start while the flags say
    that another is starting. Memory of another layout is left alone; then the next heir says what is wrong."""
    try:
        with _file(folder, base_id).open("r+b", buffering=0) as memory:
            head = memory.read(8)
            if os.fstat(memory.fileno()).st_size == SIZE and struct.unpack("=Q", head) == (SIZE,):
                memory.seek(FLAGS_AT)
                memory.write(bytes(8))
    except (OSError, struct.error) as error:
        log.warning("the shared memory of base id %d: %s", base_id, error)


def _file(folder: Path, base_id: int) -> Path:
    return folder / f"envoy_shared_memory_{base_id}0"
