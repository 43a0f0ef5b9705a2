"""Whether this node takes workloads, and the drain of those it has: `proa node drain` and `undrain`.

Drained is a state of the node that outlives its agent: whoever drained a host to work on it does not want programs
there because an agent was started again. The local server asks; workloads do the draining.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from proa.core.sidecar.local import WorkloadDrained
from proa.home import write_private
from proa.node.workload import Workload

FILE: Final = "drained"
REFUSAL: Final = "this node is drained and takes no workloads; `proa node undrain` lets them in again"


class Intake:
    """`directory` is the node's own."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._is_open = not self._path.exists()

    @property
    def refusal(self) -> str | None:
        """Why no workload is taken, None while they are."""
        return None if self._is_open else REFUSAL

    async def close(self) -> None:
        """Raises OSError when it cannot be remembered; it holds for this agent's life all the same."""
        self._is_open = False
        await asyncio.to_thread(write_private, self._path, "")

    async def open(self) -> None:
        self._is_open = True
        await asyncio.to_thread(self._path.unlink, missing_ok=True)


async def drain(workloads: Sequence[Workload], deadline_s: float | None) -> AsyncIterator[WorkloadDrained]:
    """All side by side; each as it is done. A drain goes on when nobody listens any more."""
    done: asyncio.Queue[WorkloadDrained] = asyncio.Queue()

    async def one(workload: Workload) -> None:
        left_open = await workload.drain(deadline_s)
        done.put_nowait(WorkloadDrained(id=workload.spec.id, open_requests=left_open))

    async with asyncio.TaskGroup() as tasks:
        for workload in workloads:
            tasks.create_task(one(workload), name=f"drain {workload.spec.id}")
        for _ in workloads:
            yield await done.get()
