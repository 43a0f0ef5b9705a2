"""Waiting for the first of several things; the others are cancelled and waited for."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*works: Coroutine[Any, Any, object]) -> int:
    """The index of the first that ends, the lowest when several have. Its exception is raised here."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for index, task in enumerate(tasks):
        if not task.cancelled():
            task.result()
            return index
    raise asyncio.CancelledError
