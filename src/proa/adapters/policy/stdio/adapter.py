"""stdio as an adapter: its parameters to lines and an output, its reports to writes off the event loop.

Handlers that name one output share it, so that lines of two never mix, and a handler that takes another's place goes on
in the same file.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from proa.adapters.policy.stdio.lines import Lines
from proa.adapters.policy.stdio.outputs import MEGABYTE, Descriptor, LogFile, Output, Rotation
from proa.core.attributes.value_types import Timestamp
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import Stdio
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerTemporary
from proa.ports.policy_adapter import PolicyHandler
from proa.runtime.lane import Lane, LaneFull

MOST_WAITING: Final = 4 * MEGABYTE
"""Bytes that may wait for an output that is slow; what comes beyond is refused, and counted by the caller."""
_MEGABYTES: Final = 100
_DAYS: Final = 30
_FILES: Final = 1000
_STREAMS: Final = {"STDOUT": 1, "STDERR": 2}


def now() -> Timestamp:
    return Timestamp(time.time_ns())


class StdioAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["stdio"], missing="")

    def __init__(self, *, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._shared: dict[str, _Shared] = {}

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        """Raises HandlerTemporary when the file cannot be opened."""
        parameters = handler.parameters
        assert isinstance(parameters, Stdio)
        name = parameters.output_path or parameters.log_stream
        shared = self._shared.get(name)
        if shared is None:
            shared = self._shared[name] = _Shared(name, _opener(parameters), self._most_waiting)
        shared.users += 1
        try:
            await shared.make(lambda: None, 0)
            yield _Handler(Lines(parameters, now), shared, rotation_of(parameters))
        finally:
            shared.users -= 1
            if not shared.users:
                del self._shared[name]
                await shared.close()


def rotation_of(parameters: Stdio) -> Rotation | None:
    if parameters.log_stream != "ROTATED_FILE":
        return None
    days, files = parameters.max_days_before_rotation, parameters.max_rotated_files
    return Rotation(
        most_bytes=(parameters.max_megabytes_before_rotation or _MEGABYTES) * MEGABYTE,
        days=_DAYS if days is None else days,
        files=_FILES if files is None else files,
    )


def _opener(parameters: Stdio) -> Callable[[], Output]:
    if parameters.output_path:
        return lambda: LogFile(Path(parameters.output_path), lambda: datetime.now(UTC))
    return lambda: Descriptor(_STREAMS[parameters.log_stream])


class _Shared:
    """An output, opened by the first piece of work, and the thread that alone touches it."""

    def __init__(self, name: str, opener: Callable[[], Output], most_waiting: int) -> None:
        self._name, self._opener = name, opener
        self._lane = Lane(f"stdio {name}", most_waiting=most_waiting)
        self._output: Output | None = None
        self.users = 0

    async def write(self, lines: bytes, rotation: Rotation | None) -> None:
        def piece() -> None:
            assert self._output is not None
            self._output.write(lines, rotation)

        await self.make(piece, len(lines))

    async def make(self, piece: Callable[[], None], weight: int) -> None:
        def opened() -> None:
            if self._output is None:
                self._output = self._opener()
            piece()

        try:
            await self._lane.run(opened, weight)
        except LaneFull as error:
            raise HandlerTemporary(f"{self._name} takes no lines now: {error}") from None
        except OSError as error:
            raise HandlerTemporary(f"{self._name} cannot be written: {error}") from error

    async def close(self) -> None:
        def piece() -> None:
            if self._output is not None:
                self._output.close()

        await self._lane.close(piece)


class _Handler(PolicyHandler):
    def __init__(self, lines: Lines, shared: _Shared, rotation: Rotation | None) -> None:
        self._lines, self._shared, self._rotation = lines, shared, rotation

    async def report(self, instances: tuple[Instance, ...]) -> None:
        """A batch whose write has begun is written, also when the caller no longer waits."""
        if lines := self._lines.of(instances):
            await self._shared.write(lines, self._rotation)
