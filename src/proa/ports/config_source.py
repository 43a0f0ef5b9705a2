"""Where configuration comes from by itself: something that is watched, not applied to.

A source cannot refuse what its users write there. It therefore always has a state: what is good of it, the last
good version of what has become bad, and the problems. The world takes the objects, status shows the problems.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from proa.core.config import Config, Problem


class SourceObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object in force. `is_stale`: the newest text of it has problems and this is the last good one; `file`
    and `line` are then those of the good text."""

    config: Config
    file: str
    line: int
    is_stale: bool = False


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole source: at most one object of a name, sorted by name; problems sorted by place."""

    objects: tuple[SourceObject, ...] = ()
    problems: tuple[Problem, ...] = ()


class ConfigSource(Protocol):
    """Something to watch."""

    def watch(self) -> AsyncGenerator[SourceState]:
        """Level-triggered: the state at once, then whenever it differs from the last one yielded. A slow reader
        skips states and never misses the newest.

        Raises StorePermanent when the source is not there or may not be read; a single part that cannot be read
        is a Problem.
        """
