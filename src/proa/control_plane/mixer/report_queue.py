"""The way to one running handler for reports: a bounded backlog, and a task that empties it while there is something.

The queue belongs to the handler that was running when its first instance came, and holds it until it is empty: what was
meant for a handler that has left the plan goes to it, or is counted as dropped when its time is over, and never to its
successor.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Protocol

from proa.control_plane.mixer.running import Running
from proa.core.mixer.plan.verdict import Failure
from proa.core.mixer.reporting.backlog import Backlog, Counts, Outcome
from proa.core.mixer.templates import Instance

log = logging.getLogger("proa.control_plane.mixer")


class Tasks(Protocol):
    """Who waits for workers: a Supervisor."""

    def run(self, name: str, work: Coroutine[None, None, None], /) -> asyncio.Task[None]: ...


class ReportQueue:
    """Of one event loop."""

    def __init__(
        self,
        running: Running,
        tasks: Tasks,
        backlog: Backlog[Instance] | None = None,
    ) -> None:
        self.running = running
        self._tasks = tasks
        self._backlog = backlog or Backlog()
        self._worker: asyncio.Task[None] | None = None
        self._fails = False

    @property
    def counts(self) -> Counts:
        return self._backlog.counts

    @property
    def held(self) -> int:
        """Instances that wait or are under way."""
        return self._backlog.held

    def offer(self, instances: Iterable[Instance]) -> int:
        """How many found room; the others are counted as dropped."""
        taken = self._backlog.offer(instances)
        if taken and self._worker is None:
            self._start()
        return taken

    async def emptied(self) -> None:
        """Returns when nothing waits and nothing is under way."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    def _start(self) -> None:
        self.running.hold()
        work = self._work()
        self._worker = self._tasks.run(f"reports to {self.running.plan.name}", work)
        self._worker.add_done_callback(lambda task: self._ended(task, work))

    def _ended(self, task: asyncio.Task[None], work: Coroutine[None, None, None]) -> None:
        work.close()  # cancelled before its first step it was never begun
        self._worker = None
        self.running.release()
        if task.cancelled():
            self._drop()
        if self._backlog.held:
            self._start()  # something came after its last look

    async def _work(self) -> None:
        while batch := self._backlog.take():
            outcome: Outcome = "failed"
            try:
                failure = await self.running.report(batch)
                outcome = "delivered" if failure is None else "failed"
            finally:
                self._backlog.done(outcome)
            self._tell(batch, failure)
            if self.running.is_over:
                self._drop()

    def _drop(self) -> None:
        """The handler is closed, or we are."""
        if dropped := self._backlog.close():
            log.warning("%s is gone, and %d reports that waited for it", self.running.plan.name, dropped)

    def _tell(self, batch: tuple[Instance, ...], failure: Failure | None) -> None:
        """The first failure of a row; the rest is in the metrics."""
        name = self.running.plan.name
        if failure is not None and not self._fails:
            log.warning("%s did not take %d reports: %s", name, len(batch), failure.reason)
        elif failure is None and self._fails:
            log.info("%s takes reports again", name)
        self._fails = failure is not None
