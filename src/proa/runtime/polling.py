"""Asking again until the answer is yes; for things outside that cannot be waited for, the wall clock included."""

import asyncio
from collections.abc import Awaitable, Callable


async def poll(question: Callable[[], Awaitable[bool]], every_s: float, wanted: Callable[[], bool]) -> bool:
    """True as soon as the answer is yes; False when it is no longer `wanted`."""
    while wanted():
        if await question():
            return True
        await asyncio.sleep(every_s)
    return False


async def sleep_until(clock: Callable[[], float], due: float, longest_s: float) -> None:
    """Sleeps until the clock shows `due`, looking at it every `longest_s`: timers stand still while a machine is
    suspended, and wall clocks are set."""
    left = due - clock()
    while left > 0:
        await asyncio.sleep(min(left, longest_s))
        left = due - clock()
