"""All workloads of this node: who is here, what is registered of them, and which one a name means.

Owns the registrations that the session sends up. The local server adds workloads, everybody may ask.
"""

import asyncio
import logging

from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import Failed, WorkloadSummary, find_workload
from proa.core.sidecar.session import Registration
from proa.node.adoption import Earlier
from proa.node.surroundings import Surroundings
from proa.node.workload import Leave, Workload
from proa.runtime.cell import Cell

log = logging.getLogger("proa.node.workloads")


class Workloads:
    """`registrations` is sorted by id; `present` grows and shrinks with the workloads' lives."""

    def __init__(self) -> None:
        self.registrations: Cell[tuple[Registration, ...]] = Cell(())
        self.present: Cell[tuple[WorkloadId, ...]] = Cell(())
        self._workloads: dict[WorkloadId, Workload] = {}
        self._registered: dict[WorkloadId, Registration] = {}

    def add(self, workload: Workload) -> bool:
        """False when one of this id is here already."""
        if workload.spec.id in self._workloads:
            return False
        self._workloads[workload.spec.id] = workload
        self.present.set(tuple(sorted(self._workloads)))
        return True

    def remove(self, workload: Workload) -> None:
        if self._workloads.get(workload.spec.id) is workload:
            del self._workloads[workload.spec.id]
            self.present.set(tuple(sorted(self._workloads)))

    def register(self, registration: Registration) -> None:
        self._registered[registration.id] = registration
        self._tell()

    def withdraw(self, workload: WorkloadId) -> None:
        if self._registered.pop(workload, None) is not None:
            self._tell()

    def _tell(self) -> None:
        self.registrations.set(tuple(self._registered[each] for each in sorted(self._registered)))

    def get(self, workload: WorkloadId) -> Workload | None:
        return self._workloads.get(workload)

    def spare_all(self) -> None:
        """The agent fails: sidecars stay for the next one."""
        for workload in self.all():
            workload.spare()

    def all(self) -> tuple[Workload, ...]:
        return tuple(self._workloads[each] for each in sorted(self._workloads))

    def summaries(self) -> tuple[WorkloadSummary, ...]:
        return tuple(workload.summary() for workload in self.all())

    def find(self, name: str) -> Workload | Failed:
        known = tuple((each.spec.id, each.services) for each in self._workloads.values())
        found = find_workload(name, known)
        if len(found) == 1:
            return self._workloads[found[0]]
        if found:
            names = ", ".join(str(each) for each in found)
            return Failed(code="ambiguous", message=f"{name} may be each of {names}")
        here = ", ".join(str(each) for each in sorted(self._workloads)) or "none"
        return Failed(code="not_found", message=f"no workload {name} on this node; here are: {here}")

    async def gone(self, name: str) -> None:
        """Returns when the name means nothing here."""
        await self.present.until(lambda _: isinstance(self.find(name), Failed))

    def restore(self, around: Surroundings, earlier: Earlier) -> None:
        """A workload of an earlier agent is here and registered as it was. One whose ports are gone is not: its owner
        hears of it when it comes."""
        workload_id = earlier.record.spec.id
        workload = Workload(
            earlier.record.spec,
            around,
            register=self.register,
            withdraw=lambda: self.withdraw(workload_id),
            earlier=earlier,
        )
        problem = workload.take_place()
        if problem is None:
            self.add(workload)
            return
        log.error("%s: not taken over: %s", workload_id, problem)
        if earlier.envoy is not None:
            earlier.envoy.kill()

    async def leave_all(self, reason: str, within_s: float) -> None:
        """Drains and removes every workload; gives up waiting after that time."""
        for workload in self.all():
            workload.obey(Leave(reason=reason))
        try:
            async with asyncio.timeout(within_s):
                await self.present.until(lambda present: not present)
        except TimeoutError:
            return
