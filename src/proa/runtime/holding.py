"""A child program that lives as long as an `async with` block: started, watched, and ended in order.

Nested blocks end inside out, so the nesting is the order of ending. The child has its own session: Ctrl-C in a
terminal reaches whoever holds it, not the child, and so cannot upset that order. If the holder dies, the kernel
ends the child.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from proa.runtime.processes import Child, start_child

TAIL_LINES: Final = 12
TAIL_BYTES: Final = 16 * 1024
"""A log can be far larger than memory; its end is asked for."""
LOOK_S: Final = 0.05


class ProgramEnded(Exception):
    """A program ended that should go on. The text has its name, exit code and last words."""


class ProgramLate(Exception):
    """A program runs but has not come as far as expected. The text has its name and where its log is."""


class Held:
    """A running program of a block. `log` has what it prints."""

    def __init__(self, name: str, child: Child, log: Path) -> None:
        self.name = name
        self.log = log
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def was_killed(self) -> bool:
        """It has ended, by a signal and not by itself."""
        return self._child.code is not None and self._child.code < 0

    async def wait_ended(self) -> ProgramEnded:
        """Returns, does not raise: for whoever waits for several things."""
        return self._ended(await self._child.wait())

    def check_running(self) -> None:
        """Raises ProgramEnded."""
        if self._child.code is not None:
            raise self._ended(self._child.code)

    def ask_to_end(self) -> None:
        """SIGTERM; the block's end waits for it."""
        self._child.send(signal.SIGTERM)

    async def until(self, question: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
        """Asks until the answer is yes. Raises ProgramEnded or ProgramLate."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not await question():
            self.check_running()
            if asyncio.get_running_loop().time() > deadline:
                raise ProgramLate(f"{self.name} is not ready after {timeout_s:g} s; its log is {self.log}")
            await asyncio.sleep(LOOK_S)

    def _ended(self, code: int) -> ProgramEnded:
        how = f"with exit code {code}" if code >= 0 else f"by signal {-code}"
        return ProgramEnded(f"{self.name} ended {how}; the end of {self.log}:\n{last_words(self.log)}")


@asynccontextmanager
async def holding(
    name: str, argv: Sequence[str], *, log: Path, grace_s: float, env: Mapping[str, str] | None = None
) -> AsyncIterator[Held]:
    """Runs `argv`, its output appended to `log` (0600). At the block's end it gets SIGTERM and, `grace_s` later,
    SIGKILL; the block is left when it is gone. Raises OSError when the log cannot be opened."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = start_child(
            argv, env=env, stdout=descriptor, stderr=descriptor, own_session=True, dies_with_us=signal.SIGTERM
        )
    finally:
        os.close(descriptor)
    with child:
        try:
            yield Held(name, child, log)
        finally:
            child.send(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace_s):
                    await child.wait()
            except TimeoutError:
                child.send(signal.SIGKILL)
                await child.wait()


def last_words(log: Path) -> str:
    """The last lines of a log, indented; the empty text when there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])
