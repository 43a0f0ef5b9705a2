"""An adapter whose handlers do what a test says, and remember what became of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import Noop
from proa.core.mixer.plan.dispatch import Prepared
from proa.core.mixer.plan.values import Action, Call, DispatchPlan, HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer, Failure
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.core.model.names import ObjectRef
from proa.ports.policy_adapter import PolicyHandler
from proa.runtime.polling import poll


class Told(PolicyHandler):
    """The `number`-th that was opened. Checks wait for `gate` and answer with `says`, whatever that is."""

    def __init__(self, number: int, gate: asyncio.Event, says: Callable[[], object]) -> None:
        self.number, self._gate, self._says = number, gate, says
        self.under_way = 0
        self.ended: list[int] = []
        """Calls that were under way when it was closed."""

    async def check(self, instance: Instance) -> CheckAnswer:
        self.under_way += 1
        try:
            await self._gate.wait()
            said = self._says()
            return CheckAnswer(message=str(self.number)) if said is None else said  # type: ignore[return-value]
        finally:
            self.under_way -= 1

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return Grant(amount=charge.amount, valid_ms=self.number)

    async def generate(self, instance: Instance) -> Map[str, Value]:
        return Map({"number": self.number})

    async def report(self, instances: tuple[Instance, ...]) -> None:
        self.reported = instances


class Scripted:
    """`refusals`: raised by the next openings, in turn. `opening`: these wait for it. `dying` ends those in force."""

    kind: AdapterKind = BUILT_IN.adapters["noop"]

    def __init__(self) -> None:
        self.gate, self.opening, self.dying = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.opening.set()
        self.says: Callable[[], object] = lambda: None
        self.refusals: list[Exception] = []
        self.tries = 0
        self.opened: list[Told] = []
        self.closed: list[Told] = []
        self.moved = asyncio.Condition()

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        self.tries += 1
        await self.opening.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        told = Told(len(self.opened), self.gate, lambda: self.says())
        await self._note(self.opened, told)
        try:
            async with asyncio.TaskGroup() as tasks:
                death = tasks.create_task(self._die())
                try:
                    yield told
                finally:
                    death.cancel()
        finally:
            told.ended.append(told.under_way)
            await self._note(self.closed, told)

    async def _die(self) -> None:
        await self.dying.wait()
        self.dying.clear()
        raise OSError("its connection is gone")

    async def _note(self, where: list[Told], told: Told) -> None:
        async with self.moved:
            where.append(told)
            self.moved.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self.moved:
            await self.moved.wait_for(holds)


async def seen(holds: Callable[[], bool]) -> None:
    """Gives way to other tasks until something is so that comes about without anything from outside."""
    async with asyncio.timeout(60):
        await poll(lambda: _is(holds), 0.0, lambda: True)


async def _is(holds: Callable[[], bool]) -> bool:
    return holds()


def handler(name: str, identity: str = "1", bounds: Bounds | None = None, adapter: str = "it") -> HandlerPlan:
    return HandlerPlan(
        name=name,
        adapter=adapter,
        parameters=Noop(),
        instances=Map(),
        identity=identity,
        bounds=bounds or Bounds(deadline_ms=60_000),
    )


def plan_of(*handlers: HandlerPlan) -> DispatchPlan:
    return DispatchPlan(
        root="istio-system",
        rules=Map(),
        handlers=Map({each.name: each for each in handlers}),
        instances=Map(),
    )


def prepared(name: str, failure: Failure | None = None) -> Prepared:
    call = Call(
        rule=ObjectRef("rule", "shop", "r"),
        action=Action(handler=name, instance="i", variety="check"),
        policy="closed",
    )
    instance = None if failure else Instance(name="i", template="checknothing", fields=Map())
    return Prepared(call=call, instance=instance, failure=failure)
