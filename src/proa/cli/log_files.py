"""The end of a log file, and what is written after it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

POLL_SECONDS = 0.2
"""Half of what a person notices as late."""


class Place(NamedTuple):
    """Up to where a file was read: its inode, so that a successor is told apart, and the offset."""

    inode: int
    offset: int


NOWHERE = Place(0, 0)


def last_lines(path: Path, lines: int) -> tuple[str, Place]:
    """At most so many lines, and where reading goes on; nothing for a file that is not there yet."""
    try:
        with path.open("rb") as file:
            text = file.read()
            place = Place(os.fstat(file.fileno()).st_ino, len(text))
    except FileNotFoundError:
        return "", NOWHERE
    kept = text.splitlines(keepends=True)[-lines:] if lines else []
    return b"".join(kept).decode(errors="replace"), place


def follow_file(path: Path, place: Place) -> Iterator[str]:
    """What is appended after `place`, for ever. A file that is replaced or cut is read from its start."""
    while True:
        try:
            with path.open("rb") as file:
                facts = os.fstat(file.fileno())
                if facts.st_ino != place.inode or facts.st_size < place.offset:
                    place = Place(facts.st_ino, 0)
                file.seek(place.offset)
                added = file.read()
        except FileNotFoundError:
            added = b""
        if added:
            place = place._replace(offset=place.offset + len(added))
            yield added.decode(errors="replace")
        else:
            time.sleep(POLL_SECONDS)
