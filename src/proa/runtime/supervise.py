"""Named tasks with one owner: who starts them waits for them, and one that ends too early is an error.

The rest of the program starts tasks through a Supervisor or an asyncio.TaskGroup, never bare.
"""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any


class EndedEarly(Exception):
    """A task that should run as long as its supervisor returned."""


class Supervisor:
    """`async with Supervisor() as tasks:` does not end before its tasks do. A failing task ends them all and
    is raised, alone when it is the only one. `stop` cancels what still runs.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def __aenter__(self) -> "Supervisor":
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise

    def run(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work that is allowed to end."""
        task = self._group.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def keep(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work that must not end before `stop`."""
        task = self.run(name, self._kept(name, work))
        task.add_done_callback(lambda _: work.close())  # cancelled before its first step it was never begun
        return task

    async def _kept(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        await work
        if not self._stopping:
            raise EndedEarly(f"task {name} ended early")

    def stop(self) -> None:
        self._stopping = True
        for task in tuple(self._running):
            task.cancel()
