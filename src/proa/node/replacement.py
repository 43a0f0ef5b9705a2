"""Replaces the Envoy of one sidecar by one started now: hot where that can be, by drain and a cold start where not.

The workload calls it, for an operator's word (`proa proxy restart`) or because the Envoy that it took over was started
from another bootstrap or binary. How an heir takes over, and that one which fails costs nothing, is the table's
(`core.sidecar.supervision`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import Restarted
from proa.core.sidecar.supervision import Event, State
from proa.node.envoy import Envoy

log = logging.getLogger("proa.node.replacement")

AT_ONCE: Final = 2
"""So many Envoys of a node are replaced at a time: after an upgrade all are due, and each takes its memory twice."""
_CAN: Final = (State.READY, State.HOLDING)
_ENDING: Final = (State.DRAINING, State.DRAINED, State.TERMINATING, State.KILLED, State.GONE)


IN_S: Final = 75.0
"""A replacement takes no longer: a drain, and an Envoy's time to come alive, or an heir's."""


class NotReplaced(Exception):
    """The Envoy goes on, or the sidecar ends. The text says what is and what comes."""


async def replace_envoy(
    workload: WorkloadId, envoy: Envoy, start_cold: Callable[[], Awaitable[bool]]
) -> Restarted:
    """Returns when the new one serves. `start_cold` drains, starts anew, says whether it could. Raises NotReplaced."""
    try:
        async with asyncio.timeout(IN_S):
            return await _replace(workload, envoy, start_cold)
    except TimeoutError:
        state = envoy.state.value.state.value
        raise NotReplaced(f"its new Envoy does not serve after {IN_S:g} s, its sidecar is {state}") from None


async def _replace(
    workload: WorkloadId, envoy: Envoy, start_cold: Callable[[], Awaitable[bool]]
) -> Restarted:
    state = await envoy.until(*_CAN, *_ENDING)
    if state in _ENDING:
        raise NotReplaced(f"its sidecar is {state.value}")
    why = await envoy.why_not_hot()
    if why is not None:
        log.warning("%s: no hot restart: %s; drained and started cold instead", workload, why)
        if not await start_cold():
            raise NotReplaced(f"no hot restart: {why}; and its sidecar is {envoy.state.value.state.value}")
        await envoy.until(State.READY, *_ENDING)
        return _restarted(workload, envoy, why)
    before = envoy.state.value
    envoy.ask(Event.REPLACE)
    now = await envoy.state.until(
        lambda now: (
            now.replaced > before.replaced
            or now.lost_heirs > before.lost_heirs
            or now.restarts > before.restarts
            or now.state in (*_ENDING, State.SILENT)
        )
    )
    if now.replaced > before.replaced:
        return _restarted(workload, envoy, "")
    if now.lost_heirs > before.lost_heirs:
        raise NotReplaced(
            "the new Envoy ended before it served, see `proa proxy logs`; the one before goes on, and it is tried again"
        )
    if now.state in (*_ENDING, State.SILENT):
        raise NotReplaced(f"its sidecar is {now.state.value} now")
    await envoy.until(State.READY, *_ENDING)
    return _restarted(workload, envoy, "the Envoy ended before the new one had taken over")


def _restarted(workload: WorkloadId, envoy: Envoy, why: str) -> Restarted:
    return Restarted(
        id=workload, hot=not why, epoch=envoy.mark.epoch if envoy.mark else 0, envoy_pid=envoy.pid, why=why
    )


def remark(envoy: Envoy, cold_reason: str) -> str:
    """What an operator should know about the Envoy's age, empty when there is nothing."""
    now = envoy.state.value
    if now.state in (State.HOLDING, State.REPLACING) and now.lost_heirs:
        return (
            f"a hot restart has failed {now.lost_heirs} times: the Envoy of before goes on, and it is tried again; "
            "see `proa proxy logs`"
        )
    if now.state in _CAN and envoy.is_outdated:
        return (
            "its Envoy runs by the bootstrap or binary of an earlier start; `proa proxy restart` replaces it"
        )
    return f"restarted with a drain, not hot: {cold_reason}" if cold_reason else ""
