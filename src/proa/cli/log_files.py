"""The end of a log file, and what is written after it."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

POLL_SECONDS = 0.2
"""Half of what a person notices as late."""


def last_lines(path: Path, lines: int) -> str:
    """At most so many lines; the empty text for a file that is not there yet."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, lines))
    except FileNotFoundError:
        return ""


def follow_file(path: Path) -> Iterator[str]:
    """Text as it is appended, for ever. A file that is replaced or cut is read from its start again."""
    position = path.stat().st_size if path.exists() else 0
    identity = path.stat().st_ino if path.exists() else 0
    while True:
        try:
            facts = path.stat()
        except FileNotFoundError:
            facts = None
        if facts is not None:
            if facts.st_ino != identity or facts.st_size < position:
                identity, position = facts.st_ino, 0
            if facts.st_size > position:
                with path.open("rb") as file:
                    file.seek(position)
                    added = file.read()
                position += len(added)
                yield added.decode(errors="replace")
        time.sleep(POLL_SECONDS)
