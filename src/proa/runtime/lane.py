"""Calls that may block (a disk, a pipe that nobody reads), made one after the other by a thread of their own.

The thread is a daemon: one that hangs in a write keeps nothing from ending.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

_Piece = tuple["Future[None]", Callable[[], None]]
_CLOSING_S: Final = 2.0


class LaneFull(Exception):
    """As much waits as may wait, or the lane is closed: nothing was done of the piece that was to join."""


class Lane:
    """Called on one event loop. `most_waiting` is the weight of what may wait or be under way, in the caller's unit."""

    def __init__(self, name: str, *, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._is_closed = False
        self._pieces: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._ended: Future[None] = Future()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, piece: Callable[[], None], weight: int) -> None:
        """Returns when it is done; raises LaneFull, and whatever the piece raises. Who is cancelled takes back a piece
        that has not begun, and no other. One alone may be heavier than all that may wait."""
        if self._is_closed:
            raise LaneFull("it is closed")
        if self._waiting and self._waiting + weight > self._most_waiting:
            raise LaneFull("too much waits already")
        future: Future[None] = Future()
        self._waiting += weight
        try:
            self._pieces.put((future, piece))
            await asyncio.wrap_future(future)
        finally:
            self._waiting -= weight

    async def close(self, last: Callable[[], None]) -> None:
        """`last` is run after all others. Waits for it, for two seconds at most."""
        self._is_closed = True
        self._pieces.put((Future(), last))
        self._pieces.put(None)
        await asyncio.wait((asyncio.wrap_future(self._ended),), timeout=_CLOSING_S)

    def _work(self) -> None:
        while (found := self._pieces.get()) is not None:
            future, piece = found
            if not future.set_running_or_notify_cancel():
                continue
            try:
                piece()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(None)
        self._ended.set_result(None)
