"""Mixer: follows the rules in force, and answers what proxies ask about requests.

A check is answered whatever happens: a handler that fails, a workload that nobody knows, a fault of our own are decided
by the failure policy of the rules that are meant. Generators are asked first, then all checks at once; what each is
allowed to take is its handler's deadline.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from proa.control_plane.mixer.handlers import Handlers, Standing
from proa.core.attributes.value_types import Bag
from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.expression.tracing import Reference
from proa.core.mixer.asked import Party, Place, RequestBag, named
from proa.core.mixer.context import ON_FAILURE
from proa.core.mixer.needs import checks_digest
from proa.core.mixer.plan.dispatch import NOTHING, Learned, Prepared, checks, generators, learn
from proa.core.mixer.plan.values import DispatchPlan, RulePlan
from proa.core.mixer.plan.verdict import (
    INTERNAL,
    OK,
    UNAVAILABLE,
    Answered,
    Failure,
    Verdict,
    combine,
)
from proa.core.model.names import WorkloadId
from proa.runtime.cell import Cell
from proa.servers.mixer.checks import Question

MOST_PLACES: Final = 20_000
"""Whose rules' digests are remembered: workloads come and go under ever new names while a plan stays."""

T = TypeVar("T")
log = logging.getLogger("proa.control_plane.mixer")


class Rules(Protocol):
    @property
    def plan(self) -> DispatchPlan: ...


class Surroundings(Protocol):
    """What Mixer asks of the world. `mixer` is another value when, and only when, something of it is different."""

    @property
    def mixer(self) -> Rules: ...

    def place(self, workload: WorkloadId, port: int) -> Place | None: ...

    def party(self, workload: WorkloadId) -> Party | None: ...


class Learning(msgspec.Struct, frozen=True, kw_only=True):
    """What generators told, and those that could not."""

    learned: Learned = NOTHING
    failed: tuple[Answered, ...] = ()
    references: tuple[Reference, ...] = ()


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with what led to it: calls with their answers, those to generators that failed among them, and rules
    whose match could not be evaluated."""

    verdict: Verdict
    answered: tuple[Answered, ...] = ()
    unmatched: tuple[tuple[RulePlan, str], ...] = ()


class Mixer:
    """`run` is its one task; nobody should be answered before `settled` has returned once. `counts`: checks by what
    they came to."""

    def __init__(self, surroundings: Surroundings, handlers: Handlers) -> None:
        self._surroundings = surroundings
        self.handlers = handlers
        self.counts: Counter[str] = Counter(allowed=0, refused=0, failed=0)
        self._wanted = Cell(1)
        """Counts the rules that there have been."""
        self._standing = Cell(0)
        """Those of them by which questions are answered."""
        self._seen = surroundings.mixer
        self._digests_of: DispatchPlan | None = None
        self._digests: dict[tuple[WorkloadId, int], tuple[Place, str]] = {}

    def look(self, *_: object) -> None:
        """To be called after each round of the world's."""
        if self._surroundings.mixer is not self._seen:
            self._seen = self._surroundings.mixer
            self._wanted.set(self._wanted.value + 1)

    async def run(self) -> None:
        """Until cancelled."""
        async with self.handlers:
            async for wanted in self._wanted.follow():
                await self.handlers.swap(self._seen.plan)
                self._standing.set(wanted)

    async def settled(self) -> None:
        """Returns when questions are answered by the rules that were in force when it was called, or by newer ones."""
        wanted = self._wanted.value
        await self._standing.until(lambda standing: standing >= wanted)

    async def check(self, question: Question) -> Verdict:
        verdict = (await self.decide(question)).verdict
        failed = verdict.failed or (verdict.code != OK and verdict.rule is None)
        self.counts["failed" if failed else "allowed" if verdict.code == OK else "refused"] += 1
        return verdict

    async def decide(self, question: Question) -> Decided:
        """Without ON_FAILURE in the context the rules of both policies are asked."""
        said = question.context.get(ON_FAILURE)
        policy: FailurePolicy | None = "open" if said == "open" else "closed" if said == "closed" else None
        try:
            return await self._decide(question, policy)
        except Exception:
            log.exception("a check of %s could not be decided", question.server)
            return _undecided(policy, "Mixer made a mistake, which its log tells", INTERNAL)

    async def _decide(self, question: Question, policy: FailurePolicy | None) -> Decided:
        place = self._surroundings.place(question.server, question.port)
        if place is None:
            unknown = f"{question.server} is not known here, or takes nothing at port {question.port}"
            return _undecided(policy, unknown, UNAVAILABLE)
        caller, is_known = self._caller(question.caller)
        bag = RequestBag(question.asked, place, caller)
        with self.handlers.held() as standing:
            decided = await decide(standing, bag, policy)
            rules = self._digest(standing.plan, question, place)
        verdict = msgspec.structs.replace(decided.verdict, rules=rules)
        if not is_known:
            verdict = msgspec.structs.replace(verdict, valid_ms=0)
        return msgspec.structs.replace(decided, verdict=verdict)

    def _digest(self, plan: DispatchPlan, question: Question, place: Place) -> str:
        """Of the rules that can match at a place: the proxy keeps what was decided by those that it was told of."""
        if plan is not self._digests_of or len(self._digests) >= MOST_PLACES:
            self._digests_of, self._digests = plan, {}
        known = self._digests.get((question.server, question.port))
        if known is None or known[0] is not place:
            known = place, checks_digest(plan, place)
            self._digests[question.server, question.port] = known
        return known[1]

    def _caller(self, workload: WorkloadId | None) -> tuple[Party | None, bool]:
        """With whether all is known of it. One that has just come, or has just gone, is what its certificate says, and
        who judges it by that does so for this one request."""
        if workload is None:
            return None, True
        party = self._surroundings.party(workload)
        return party or named(workload), party is not None


async def decide(standing: Standing, bag: RequestBag, policy: FailurePolicy | None) -> Decided:
    """What the rules of a policy, or all, say of a request."""
    told = await learn_of(standing, bag)
    found = checks(standing.plan, bag, told.learned, policy)
    answers = await at_once(standing.check, found.calls)
    answered = (
        *told.failed,
        *(Answered(call=each.call, answer=answer) for each, answer in zip(found.calls, answers, strict=True)),
    )
    verdict = combine(answered, bag.grounded((*told.references, *found.references)))
    return Decided(verdict=verdict, answered=answered, unmatched=found.unmatched)


async def learn_of(standing: Standing, bag: Bag) -> Learning:
    """Ask the generators. One that fails is a failed call of whatever is asked next."""
    if not standing.learns:
        return _NOTHING_LEARNED
    found = generators(standing.plan, bag)
    learned, failed = NOTHING, list[Answered]()
    for each, told in zip(found.calls, await at_once(standing.generate, found.calls), strict=True):
        if isinstance(told, Failure):
            failed.append(Answered(call=each.call, answer=told))
        else:
            learned = learned.update(learn(standing.plan, each.call, told, bag))
    return Learning(learned=learned, failed=tuple(failed), references=found.references)


_NOTHING_LEARNED: Final = Learning()


async def at_once(
    ask: Callable[[Prepared], Coroutine[Any, Any, T]], calls: Sequence[Prepared]
) -> Iterable[T]:
    """In the order of the calls. The one call that most requests need costs no task."""
    if len(calls) <= 1:
        return [await ask(each) for each in calls]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(ask(each)) for each in calls]
    return [each.result() for each in asked]


_OPEN: Final = Decided(verdict=Verdict(valid_ms=0, valid_uses=0))


def _undecided(policy: FailurePolicy | None, reason: str, code: int) -> Decided:
    """No rule was asked. Whoever asks for those that fail open goes on."""
    if policy == "open":
        return _OPEN
    return Decided(verdict=Verdict(code=code, message=reason, valid_ms=0, valid_uses=0))
