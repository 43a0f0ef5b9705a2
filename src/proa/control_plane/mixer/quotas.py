"""Charges quotas for requests that proxies ask about: what a request owes, by which handlers, and what they grant.

A request's quotas are charged one after the other, in order of names; the first that refuses ends it, so that what is
refused anyway takes nothing more. The handlers of one quota are charged at once, and the least grant counts.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeAlias

from proa.control_plane.mixer.handlers import Handlers, Standing
from proa.core.attributes.value_types import Bag
from proa.core.mixer.asked import Party, Place, RequestBag
from proa.core.mixer.plan.dispatch import NOTHING, Learned, Prepared, charges, generators, learn
from proa.core.mixer.plan.service_charges import ServiceCharges, owed_for
from proa.core.mixer.plan.verdict import Charged, Failure, combine_charges
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.rate_limits.answers import Spent
from proa.core.model.names import WorkloadId
from proa.servers.mixer.rate_limits import Expense

INSTANCE: str = "proa.dev/instance"
"""The dimension by which a limit that is per instance is counted apart."""

Ending: TypeAlias = Literal["granted", "refused", "would-refuse"]


class Quotas:
    """Answers `servers.mixer.rate_limits`. `place` and `party` are of the world, None for what it does not know.
    `endings` counts by quota."""

    def __init__(
        self,
        handlers: Handlers,
        owed: Callable[[], ServiceCharges],
        place: Callable[[WorkloadId, int], Place | None],
        party: Callable[[WorkloadId], Party | None],
    ) -> None:
        self._handlers, self._owed, self._place, self._party = handlers, owed, place, party
        self.endings: Counter[tuple[str, Ending]] = Counter()

    async def charge(self, expense: Expense) -> tuple[Spent, ...]:
        spent = await self.spend(expense)
        for each in spent:
            self.endings[each.quota, _ending(each)] += 1
        return spent

    async def spend(self, expense: Expense, *, looking: bool = False) -> tuple[Spent, ...]:
        """Of each quota that the request owes, up to the first that refuses; `looking` takes nothing, and is told of
        all. A port that is not there owes nothing."""
        place = self._place(expense.server, expense.port)
        if place is None:
            return ()
        caller = self._party(expense.caller) if expense.caller else None
        bag = RequestBag(expense.asked, place, caller)
        host = place.attributes.get("destination.service.host")
        found: list[Spent] = []
        with self._handlers.held() as standing:
            learned = await _learned(standing, bag)
            for quota, amount in owed_for(self._owed(), str(host or ""), bag).amounts:
                if expense.quotas and quota.lower() not in expense.quotas:
                    continue
                calls = charges(standing.plan, bag, learned, quota).calls
                found += await _spent(standing, quota, amount, calls, expense, looking)
                if not looking and any(each.is_exhausted and not each.is_dry for each in found):
                    break
        return tuple(found)


def _ending(spent: Spent) -> Ending:
    if not spent.is_exhausted:
        return "granted"
    return "would-refuse" if spent.is_dry else "refused"


async def _learned(standing: Standing, bag: Bag) -> Learned:
    """What generators tell. One that fails tells nothing: what needs it cannot be made, and fails by its own policy."""
    prepared = generators(standing.plan, bag).calls
    async with asyncio.TaskGroup() as tasks:
        told = [(each, tasks.create_task(standing.generate(each))) for each in prepared]
    learned = NOTHING
    for each, task in told:
        outputs = task.result()
        if not isinstance(outputs, Failure):
            learned = learned.update(learn(standing.plan, each.call, outputs, bag))
    return learned


async def _spent(
    standing: Standing,
    quota: str,
    amount: int,
    calls: tuple[Prepared, ...],
    expense: Expense,
    looking: bool,
) -> list[Spent]:
    """One for those in earnest, and one for those that only try if they would refuse."""
    asked = amount * expense.hits
    taken = 0 if looking else asked
    async with asyncio.TaskGroup() as tasks:
        told = [
            (each, tasks.create_task(standing.charge(each, _charge(standing, each, taken, expense))))
            for each in calls
        ]
    found: list[Spent] = []
    for is_dry in (False, True):
        those = [
            Charged(call=each.call, answer=task.result()) for each, task in told if each.call.is_dry == is_dry
        ]
        if those:
            found.append(_told(quota, asked, those, is_dry, looking))
    return found


def _told(quota: str, asked: int, those: list[Charged], is_dry: bool, looking: bool) -> Spent:
    grants = [each.answer for each in those if isinstance(each.answer, Grant) and each.answer.left]
    least = min(
        grants, key=lambda grant: (grant.amount, grant.left.amount if grant.left else 0), default=None
    )
    left = least.left if least else None
    granted = combine_charges(those, asked).amount
    if looking and left is not None:
        granted = asked if asked <= left.amount else 0
    return Spent(quota=quota, asked=asked, granted=granted, left=left, is_dry=is_dry)


def _charge(standing: Standing, prepared: Prepared, amount: int, expense: Expense) -> Charge:
    action = prepared.call.action
    dimensions = prepared.instance.texts("dimensions") if prepared.instance else None
    charge = Charge(quota=action.instance, amount=amount)
    if dimensions is None:
        return charge  # it could not be made, and nobody is asked
    if standing.plan.handlers[action.handler].per_instance:
        dimensions = dimensions.set(INSTANCE, f"{expense.server}:{expense.port}")
    # Two limits of one handler are told apart by their cells, two requests by whose proxy had them.
    name = f"{expense.server}:{expense.port}/{expense.id}" if expense.id else ""
    return Charge(quota=action.instance, dimensions=dimensions, amount=amount, deduplication_id=name)
