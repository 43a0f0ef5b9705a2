"""Work that would hold up the event loop, done by processes of our own: bounded in number, in waiting and in time.

The processes are started when the first piece comes, end with this one however it ends, and are replaced when one dies.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from proa.runtime.launch import end_with

In = TypeVar("In")
Out = TypeVar("Out")


class Overloaded(Exception):
    """Too much waits already, it took too long, or a process died: the same piece may be done later."""


class Workers:
    """`count` processes; at most `waiting` pieces at once, each for at most `patience_s`. `run` is called on one event
    loop; functions and values cross over pickled."""

    def __init__(self, count: int, *, waiting: int, patience_s: float) -> None:
        self._count = count
        self._waiting = waiting
        self._patience_s = patience_s
        self._under_way = 0
        self._pool: ProcessPoolExecutor | None = None

    @property
    def under_way(self) -> int:
        return self._under_way

    async def run(self, function: Callable[[In], Out], value: In) -> Out:
        """Raises Overloaded, and whatever the function raises."""
        if self._under_way >= self._waiting:
            raise Overloaded(f"{self._under_way} pieces of work wait already")
        pool = self._opened()
        self._under_way += 1
        try:
            async with asyncio.timeout(self._patience_s):
                return await asyncio.get_running_loop().run_in_executor(pool, function, value)
        except TimeoutError:
            raise Overloaded(f"not done within {self._patience_s:g} s") from None
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            raise Overloaded("a worker process died") from None
        finally:
            self._under_way -= 1

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _opened(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._count,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(os.getpid(),),
            )
        return self._pool


def _begin(parent: int) -> None:
    """A worker hears no Ctrl-C of the terminal's: its parent decides when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent, signal.SIGKILL)
