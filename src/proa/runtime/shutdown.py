"""Turns the signals that ask a process to end into an event, so that the end is ordinary control flow."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def on_signals(heard: Callable[[signal.Signals], None]) -> AsyncIterator[None]:
    """Calls `heard` in the loop for every ending signal while the block runs. Main thread only."""
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, heard, number)
    try:
        yield
    finally:
        for number in ENDING:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def shutdown_event() -> AsyncIterator[asyncio.Event]:
    """An event that is set by the first ending signal."""
    event = asyncio.Event()
    async with on_signals(lambda _: event.set()):
        yield event
