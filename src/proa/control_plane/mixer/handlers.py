"""The handlers in force, and how one plan follows another.

A new plan comes into force whole, after its new handlers were opened or found not to open. Handlers whose identity
is the same are kept, with all they hold. Whoever asks takes what stands then and keeps to it:

    with handlers.held() as standing:
        found = checks(standing.plan, bag)
        answers = [await standing.check(each) for each in found.calls]

so that a request ends on the handlers it began with. Those that nobody needs any more are closed when the last of
such requests is over, or after `Pace.drain_s`. Calls end as values: `running` tells how.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from immutables import Map

from proa.control_plane.mixer.running import PACE, Pace, Running
from proa.control_plane.mixer.tally import Tally
from proa.core.attributes.value_types import Value
from proa.core.mixer.plan.dispatch import Prepared
from proa.core.mixer.plan.values import DispatchPlan, HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer, Failure
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.model.names import ROOT_NAMESPACE
from proa.ports.policy_adapter import PolicyAdapter

NO_PLAN = DispatchPlan(root=ROOT_NAMESPACE, rules=Map(), handlers=Map(), instances=Map())


class Standing:
    """A plan and its handlers. Of calls that dispatch prepared from this plan; what could not be prepared has failed
    already, and nobody is asked."""

    def __init__(self, plan: DispatchPlan, handlers: Mapping[str, Running]) -> None:
        self.plan = plan
        self.handlers = handlers
        self.learns = "generator" in plan.varieties
        """Whether there are generators at all."""
        self._holds = 0

    def handler(self, name: str) -> Running:
        return self.handlers[name]

    async def check(self, prepared: Prepared) -> CheckAnswer | Failure:
        if prepared.instance is None:
            return _unmade(prepared)
        return await self._of(prepared).check(prepared.instance)

    async def charge(self, prepared: Prepared, charge: Charge) -> Grant | Failure:
        if prepared.instance is None:
            return _unmade(prepared)
        return await self._of(prepared).charge(prepared.instance, charge)

    async def generate(self, prepared: Prepared) -> Map[str, Value] | Failure:
        if prepared.instance is None:
            return _unmade(prepared)
        return await self._of(prepared).generate(prepared.instance)

    def _of(self, prepared: Prepared) -> Running:
        return self.handlers[prepared.call.action.handler]

    def hold(self) -> None:
        if not self._holds:
            for running in self.handlers.values():
                running.hold()
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        if not self._holds:
            for running in self.handlers.values():
                running.release()


def _unmade(prepared: Prepared) -> Failure:
    assert prepared.failure is not None
    return prepared.failure


class Handlers:
    """`async with` it: the handlers are closed at the end. `tallies` by the names of those in force."""

    def __init__(
        self,
        adapters: Mapping[str, PolicyAdapter],
        *,
        pace: Pace = PACE,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._adapters, self._pace, self._clock, self._jitter = adapters, pace, clock, jitter
        self._tasks = asyncio.TaskGroup()
        self._swapping = asyncio.Lock()
        self._current = Standing(NO_PLAN, {})
        self._current.hold()
        self.tallies: dict[str, Tally] = {}

    async def __aenter__(self) -> "Handlers":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put_in_force(Standing(NO_PLAN, {}))
        await self._tasks.__aexit__(kind, error, trace)

    @property
    def plan(self) -> DispatchPlan:
        return self._current.plan

    @property
    def running(self) -> tuple[Running, ...]:
        """Those in force, by name."""
        return tuple(running for _, running in sorted(self._current.handlers.items()))

    @contextmanager
    def held(self) -> Iterator[Standing]:
        """What stands now, as long as it is needed."""
        standing = self._current
        standing.hold()
        try:
            yield standing
        finally:
            standing.release()

    async def swap(self, plan: DispatchPlan) -> None:
        """Bring a plan into force. Returns when it is, within `Pace.settle_s`; one swap after the other."""
        async with self._swapping:
            before = self._current.handlers
            kept = {
                name: before[name]
                for name, handler in plan.handlers.items()
                if name in before and before[name].plan.identity == handler.identity
            }
            new = {name: self._start(handler) for name, handler in plan.handlers.items() if name not in kept}
            try:
                await self._settle(new)
            except BaseException:
                for running in new.values():
                    running.retire()
                raise
            for name, running in kept.items():
                running.rebound(plan.handlers[name])
            self._put_in_force(Standing(plan, {**kept, **new}))
            self.tallies = {name: self.tallies[name] for name in plan.handlers}

    def _start(self, handler: HandlerPlan) -> Running:
        running = Running(
            handler,
            self._adapters.get(handler.adapter),
            self.tallies.setdefault(handler.name, Tally()),
            self._jitter,
            self._pace,
            self._clock,
        )
        self._tasks.create_task(running.live(), name=f"handler {handler.name}")
        return running

    async def _settle(self, new: Mapping[str, Running]) -> None:
        try:
            async with asyncio.timeout(self._pace.settle_s):
                for running in new.values():
                    await running.tried.wait()
        except TimeoutError:
            pass  # calls wait for it, each as long as it may

    def _put_in_force(self, standing: Standing) -> None:
        before, self._current = self._current, standing
        standing.hold()
        for name, running in before.handlers.items():
            if standing.handlers.get(name) is not running:
                running.retire()
        before.release()
