"""Asking again until the answer is yes; for things outside that cannot be waited for."""

import asyncio
from collections.abc import Awaitable, Callable


async def poll(question: Callable[[], Awaitable[bool]], every_s: float, wanted: Callable[[], bool]) -> bool:
    """True as soon as the answer is yes; False when it is no longer `wanted`."""
    while wanted():
        if await question():
            return True
        await asyncio.sleep(every_s)
    return False
