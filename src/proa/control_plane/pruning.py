"""Forgets what ended long ago: tokens that expired and certificates that ran out. The history of objects is kept.

Several control planes may do this at once: a step that another has done finds nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from proa.ports.authority_store import AuthorityStore
from proa.ports.failures import StoreTemporary

EVERY_S: Final = 3600.0
STEP: Final = 500
"""Records of each kind in one transaction: others want to write, too."""

log = logging.getLogger("proa.control_plane")


async def prune(store: AuthorityStore, before: float, step: int = STEP) -> int:
    """Everything that ended earlier than `before`, step by step; how much it was. Raises StoreFailure."""
    total = 0
    while gone := await store.prune(before, step):
        total += gone
    return total


async def keep_pruned(store: AuthorityStore, clock: Callable[[], float], keep_s: float) -> None:
    """Now and every hour, until cancelled. `keep_s`: how long records are kept after their end."""
    while True:
        try:
            gone = await prune(store, clock() - keep_s)
            if gone:
                log.info("%d tokens and certificates that ended long ago are forgotten", gone)
        except StoreTemporary as error:
            log.warning("old tokens and certificates are not forgotten yet: %s", error)
        await asyncio.sleep(EVERY_S)
