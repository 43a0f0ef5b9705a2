"""One handler from its opening to its end, and the calls to it.

A call has the handler's deadline, the wait for its turn included, and ends as a value: the answer, or a Failure that
says why there is none. Nothing that an adapter raises goes further than here.

A handler that cannot be opened, or that dies, is opened again with growing pauses; calls fail at once meanwhile. One
that is retired is closed as soon as nobody holds it, and calls still under way when its time is over are ended.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeVar

import msgspec
from immutables import Map

from proa.control_plane.mixer.tally import Outcome, Tally
from proa.core.attributes.value_types import Value
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer, Failure
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerFailure, HandlerPermanent
from proa.ports.policy_adapter import PolicyAdapter, PolicyHandler
from proa.runtime.backoff import Backoff

T = TypeVar("T")
log = logging.getLogger("proa.control_plane.mixer")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `settle_s`: how long a swap waits for new handlers before it goes on without them."""

    settle_s: float = 2.0
    open_s: float = 10.0
    drain_s: float = 10.0
    close_s: float = 5.0
    shortest_pause_s: float = 0.5
    longest_pause_s: float = 60.0


PACE: Final = Pace()


class _NoAnswer(Exception):
    """Nobody was asked. Says why, for people."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome


class Running:
    """`live` is its one task. `tried` is set when it was opened, or could not be, for the first time."""

    def __init__(
        self,
        plan: HandlerPlan,
        adapter: PolicyAdapter | None,
        tally: Tally,
        random: Callable[[], float],
        pace: Pace = PACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan = plan
        self.tally = tally
        self.tried = asyncio.Event()
        self.problem = ""
        """Why it is not open; "" while it is, or has not been tried."""
        self.waiting = 0
        """Calls that wait for their turn."""
        self._adapter, self._pace, self._clock = adapter, pace, clock
        self._backoff = Backoff(random, shortest=pace.shortest_pause_s, longest=pace.longest_pause_s)
        self._bounds = plan.bounds
        self._turns = asyncio.Semaphore(plan.bounds.concurrency)
        self._handler: PolicyHandler | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._holds = 0
        self._free = asyncio.Event()
        self._free.set()
        self._retired = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return self._handler is not None

    @property
    def is_retired(self) -> bool:
        """Whether it has left the plan."""
        return self._retired.is_set()

    @property
    def is_over(self) -> bool:
        """Whether nobody will ever be answered by it again."""
        return self.is_retired and self._handler is None

    @property
    def under_way(self) -> int:
        """Calls, those that wait for their turn among them."""
        return len(self._limits)

    # Life

    @contextmanager
    def held(self) -> Iterator["Running"]:
        """While somebody may still call it, it is not closed: but for the longest time that a retired one has."""
        self.hold()
        try:
            yield self
        finally:
            self.release()

    def hold(self) -> None:
        self._holds += 1
        self._free.clear()

    def release(self) -> None:
        self._holds -= 1
        if not self._holds:
            self._free.set()

    def rebound(self, plan: HandlerPlan) -> None:
        """The bounds of a plan with the same identity. What is under way keeps those it began with."""
        if plan.bounds.concurrency != self._bounds.concurrency:
            self._turns = asyncio.Semaphore(plan.bounds.concurrency)
        self._bounds = plan.bounds

    def retire(self) -> None:
        """It is in no plan any more."""
        self._retired.set()

    async def live(self) -> None:
        """Until it is retired and closed."""
        while not self._retired.is_set():
            pause = await self._opened_once()
            await _within(self._retired.wait(), pause)
        self.problem = self.problem or "it is no longer in force"
        self.tried.set()

    async def _opened_once(self) -> float:
        """Opened, in force until it is retired, and closed; or as far as that goes. Seconds until it may be tried
        again."""
        name, pause = self.plan.name, 0.0
        try:
            async with asyncio.timeout(self._pace.open_s) as limit, self._opened(limit):
                await self._retired.wait()
                if not await _within(self._free.wait(), self._pace.drain_s):
                    log.warning("%s is closed while it is still called: its time is over", name)
        except HandlerPermanent as error:
            self._fail(str(error))
            pause = self._pace.longest_pause_s
        except HandlerFailure as error:
            self._fail(str(error))
            pause = self._backoff.next()
        except TimeoutError as error:
            self._fail(str(error) or "that took too long")
            pause = self._backoff.next()
        except Exception as error:
            log.exception("the adapter %s raised what no adapter may", self.plan.adapter)
            self._fail(f"{type(error).__name__}: {error}")
            pause = self._backoff.next()
        return pause

    @asynccontextmanager
    async def _opened(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        if self._adapter is None:
            raise HandlerPermanent(f"there is no adapter {self.plan.adapter} here")
        now = asyncio.get_running_loop().time
        async with self._adapter.open(self.plan) as handler:
            limit.reschedule(None)
            if self.problem:
                log.info("%s is open again", self.plan.name)
            self._handler, self.problem = handler, ""
            self._backoff.succeeded()
            self.tried.set()
            try:
                yield
            finally:
                await self._cease()
                limit.reschedule(now() + self._pace.close_s)

    def _fail(self, reason: str) -> None:
        """It could not be opened, or has died, or could not be closed."""
        if self._retired.is_set():
            log.warning("%s was not closed as it should: %s", self.plan.name, reason)
        elif self.problem != reason:
            log.warning("%s cannot be opened, and is tried again: %s", self.plan.name, reason)
        self.problem = reason
        self.tried.set()

    async def _cease(self) -> None:
        """Nobody calls it any more, and calls under way end now."""
        self._handler = None
        self.problem = "it is no longer in force"
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)
        await _within(self._quiet.wait(), self._pace.close_s)

    # Calls

    async def check(self, instance: Instance) -> CheckAnswer | Failure:
        return await self._call(lambda handler: handler.check(instance), CheckAnswer)

    async def charge(self, instance: Instance, charge: Charge) -> Grant | Failure:
        return await self._call(lambda handler: handler.charge(instance, charge), Grant)

    async def generate(self, instance: Instance) -> Map[str, Value] | Failure:
        return await self._call(lambda handler: handler.generate(instance), Map)

    async def report(self, instances: tuple[Instance, ...]) -> Failure | None:
        return await self._call(lambda handler: handler.report(instances), type(None))

    async def _call(self, ask: Callable[[PolicyHandler], Awaitable[T]], kind: type[T]) -> T | Failure:
        begun = self._clock()
        outcome: Outcome = "cancelled"
        try:
            answer = await self._asked(ask)
            outcome = "answered" if isinstance(answer, kind) else "broken"
            if outcome == "answered":
                return answer
            reason = f"it answered with {type(answer).__name__}"
        except _NoAnswer as error:
            outcome, reason = error.outcome, str(error)
        except HandlerFailure as error:
            outcome, reason = "failed", str(error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            outcome, reason = "broken", "it gave up by itself"
        except Exception as error:
            outcome, reason = "broken", f"{type(error).__name__}: {error}"
            log.exception("%s raised what no handler may", self.plan.name)
        finally:
            self.tally.note(outcome, self._clock() - begun)
        return Failure(reason=reason)

    async def _asked(self, ask: Callable[[PolicyHandler], Awaitable[T]]) -> T:
        deadline_ms = self._bounds.deadline_ms
        limit = asyncio.timeout(deadline_ms / 1000)
        try:
            async with limit:
                self._limits.add(limit)
                self._quiet.clear()
                try:
                    async with self._turn():
                        return await ask(self._handler or await self._there())
                finally:
                    self._limits.discard(limit)
                    if not self._limits:
                        self._quiet.set()
        except TimeoutError:
            if not limit.expired():
                raise
            raise _NoAnswer("late", self.problem or f"no answer in {deadline_ms} ms") from None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """As many may wait as may be under way; one more has to go."""
        turns, most = self._turns, self._bounds.concurrency
        if turns.locked() and self.waiting >= most:
            raise _NoAnswer("full", f"{most} calls are under way and as many wait")
        self.waiting += 1
        try:
            await turns.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            turns.release()

    async def _there(self) -> PolicyHandler:
        """Waits for the first try of a handler that has just come."""
        await self.tried.wait()
        if self._handler is None:
            raise _NoAnswer("unopened", self.problem)
        return self._handler


async def _within(awaitable: Awaitable[object], seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await awaitable
            return True
    return False
