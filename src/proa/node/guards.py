"""Which processes should be at a workload's own sockets; implements `servers.xds_local.Guard`."""

import asyncio
from collections.abc import Callable
from typing import Final

from proa.core.model.names import WorkloadId
from proa.node.denials import Denials
from proa.runtime.polling import poll

KNOWN_S: Final = 3.0
"""So long after its first word a process that was just started may become known as ours."""
LOOK_S: Final = 0.05


class ProcessGuard:
    """`is_ours` says of a pid whether it is one of those that the socket is for."""

    def __init__(self, workload: WorkloadId, denials: Denials, is_ours: Callable[[int], bool]) -> None:
        self._workload = workload
        self._denials = denials
        self._is_ours = is_ours

    async def expects(self, pid: int) -> bool:
        clock = asyncio.get_running_loop().time
        give_up = clock() + KNOWN_S

        async def is_ours() -> bool:
            return self._is_ours(pid)

        return await is_ours() or await poll(is_ours, LOOK_S, lambda: clock() < give_up)

    def denied(self, pid: int, *, is_stranger: bool) -> None:
        self._denials.count("another user" if is_stranger else "another process", self._workload, pid)
