"""The node's conversation with the control plane: what runs here goes up, what is accepted comes down.

Both directions are level-triggered, so after any loss one message each repairs everything.
"""

import asyncio
import logging
import random
from typing import Final

from proa.core.model.names import WorkloadId
from proa.core.sidecar.retry import retry_after
from proa.core.sidecar.session import (
    NodeState,
    Registration,
    SessionState,
    decode,
    encode,
)
from proa.node.byte_stream import ByteStream, StreamLost, losses
from proa.node.trust import TrustReport
from proa.node.uplink import Uplink
from proa.runtime.backoff import Backoff
from proa.runtime.cell import Cell
from proa.runtime.races import first_of

SESSION: Final = "/proa.node.v1.Node/Session"
log = logging.getLogger("proa.node.session")


class Session:
    """`registrations` is owned by the workloads' registry, `report` by the trust, `answer` and `trouble` by `run`.
    `answer` is None while the control plane is away; `trouble` says why then."""

    def __init__(
        self,
        uplink: Uplink,
        registrations: Cell[tuple[Registration, ...]],
        report: Cell[TrustReport],
    ) -> None:
        self._uplink = uplink
        self._registrations = registrations
        self._report = report
        self.answer: Cell[SessionState | None] = Cell(None)
        self.trouble: Cell[str] = Cell("not connected yet")

    async def run(self) -> None:
        """Until cancelled; comes back by itself whenever the stream is lost."""
        backoff = Backoff(random.random)
        while True:
            try:
                with losses():
                    await self._converse(backoff)
                reason = "the control plane ended the session"
            except StreamLost as lost:
                reason = str(lost)
            finally:
                self.answer.set(None)
            if self.trouble.set(reason):
                log.warning("session lost: %s", reason)
            await asyncio.sleep(backoff.next(retry_after(reason)))

    async def _converse(self, backoff: Backoff) -> None:
        stream = ByteStream(await self._uplink.ready(), SESSION)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._tell(stream), name="session up")
                while (body := await stream.read()) is not None:
                    self._take(decode(body, SessionState), backoff)
                writer.cancel()
        finally:
            stream.close()

    def _take(self, state: SessionState, backoff: Backoff) -> None:
        backoff.succeeded()
        if self.trouble.set(""):
            log.info("session stands")
        self.answer.set(state)

    async def _tell(self, stream: ByteStream) -> None:
        while True:
            version, reported = self._registrations.version, self._report.version
            report = self._report.value
            state = NodeState(
                version=version, workloads=self._registrations.value, trusts=report.trusts, uses=report.uses
            )
            await stream.write(encode(state))
            await first_of(self._registrations.changed(version), self._report.changed(reported))

    async def refusal(self, workload: WorkloadId) -> str | None:
        """Waits until the control plane has answered what is registered now: None means accepted."""
        wanted = self._registrations.version
        state = await self.answer.until(
            lambda state: state is not None and state.version >= wanted and _speaks_of(state, workload)
        )
        assert state is not None
        return state.refusal_of(workload)

    async def noted(self) -> None:
        """Waits until the control plane has answered what is registered now."""
        wanted = self._registrations.version
        await self.answer.until(lambda state: state is not None and state.version >= wanted)

    async def accepted(self, workload: WorkloadId) -> None:
        """Waits until the workload is accepted."""
        await self.answer.until(lambda state: state is not None and workload in state.accepted)


def _speaks_of(state: SessionState, workload: WorkloadId) -> bool:
    return workload in state.accepted or state.refusal_of(workload) is not None
