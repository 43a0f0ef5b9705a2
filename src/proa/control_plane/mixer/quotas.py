"""Charges quotas for requests that proxies ask about: what a request owes, by which handlers, and what they grant.

A request's quotas are charged one after the other, in order of names; the first that refuses ends it, so that what is
refused anyway takes nothing more. The handlers of one quota are charged at once, and the least grant counts.
"""

from collections import Counter
from typing import Final, Literal, Protocol, TypeAlias

from proa.control_plane.mixer.handlers import Handlers, Standing
from proa.control_plane.mixer.mixer import at_once, learn_of
from proa.core.mixer.asked import Party, Place, RequestBag, named
from proa.core.mixer.plan.dispatch import Prepared, charges
from proa.core.mixer.plan.service_charges import ServiceCharges, owed_for
from proa.core.mixer.plan.verdict import Charged, combine_charges
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.rate_limits.answers import Spent
from proa.core.model.names import WorkloadId
from proa.servers.grpc_edge import NotNow
from proa.servers.mixer.rate_limits import Expense

INSTANCE: Final = "proa.dev/instance"
"""The dimension by which a limit that is per instance is counted apart."""

Ending: TypeAlias = Literal["granted", "refused", "would-refuse"]


class Rules(Protocol):
    @property
    def charges(self) -> ServiceCharges: ...


class Surroundings(Protocol):
    """What quotas ask of the world."""

    @property
    def mixer(self) -> Rules: ...

    def place(self, workload: WorkloadId, port: int) -> Place | None: ...

    def party(self, workload: WorkloadId) -> Party | None: ...


class Quotas:
    """Answers `servers.mixer.rate_limits`. `endings` counts by quota."""

    def __init__(self, surroundings: Surroundings, handlers: Handlers) -> None:
        self._surroundings, self._handlers = surroundings, handlers
        self.endings: Counter[tuple[str, Ending]] = Counter()

    async def charge(self, expense: Expense) -> tuple[Spent, ...]:
        spent = await self.spend(expense)
        for each in spent:
            self.endings[each.quota, ending_of(each)] += 1
        return spent

    async def spend(self, expense: Expense, *, looking: bool = False) -> tuple[Spent, ...]:
        """Of each quota that the request owes, up to the first that refuses; `looking` takes nothing, and is told of
        all. Raises NotNow for a port that is not known: the proxy's own policy decides."""
        place = self._surroundings.place(expense.server, expense.port)
        if place is None:
            raise NotNow(f"{expense.server} is not known here, or takes nothing at port {expense.port}")
        bag = RequestBag(expense.asked, place, self._caller(expense.caller))
        host = place.attributes.get("destination.service.host")
        found: list[Spent] = []
        with self._handlers.held() as standing:
            # A generator that fails tells nothing: what needs it cannot be made, and fails by its own rule's policy.
            learned = (await learn_of(standing, bag)).learned
            for quota, amount in owed_for(self._surroundings.mixer.charges, str(host or ""), bag).amounts:
                if expense.quotas and quota.lower() not in expense.quotas:
                    continue
                calls = charges(standing.plan, bag, learned, quota).calls
                found += await _spent(standing, quota, amount, calls, expense, looking)
                if not looking and any(each.is_exhausted and not each.is_dry for each in found):
                    break
        return tuple(found)

    def _caller(self, workload: WorkloadId | None) -> Party | None:
        if workload is None:
            return None
        return self._surroundings.party(workload) or named(workload)


def ending_of(spent: Spent) -> Ending:
    if not spent.is_exhausted:
        return "granted"
    return "would-refuse" if spent.is_dry else "refused"


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
    answers = await at_once(
        lambda each: standing.charge(each, _charge(standing, each, asked, expense, looking)), calls
    )
    charged = [Charged(call=each.call, answer=answer) for each, answer in zip(calls, answers, strict=True)]
    found: list[Spent] = []
    for is_dry in (False, True):
        those = [each for each in charged if each.call.is_dry == is_dry]
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
    if looking:
        granted = asked if left is None or asked <= left.amount else 0
    return Spent(quota=quota, asked=asked, granted=granted, left=left, is_dry=is_dry)


def _charge(standing: Standing, prepared: Prepared, asked: int, expense: Expense, looking: bool) -> Charge:
    action = prepared.call.action
    dimensions = prepared.instance.texts("dimensions") if prepared.instance else None
    if dimensions is None:
        return Charge(quota=action.instance, amount=asked)  # it could not be made, and nobody is asked
    if standing.plan.handlers[action.handler].per_instance:
        dimensions = dimensions.set(INSTANCE, f"{expense.server}:{expense.port}")
    # Two limits of one handler are told apart by their cells, two requests by whose proxy had them.
    name = f"{expense.server}:{expense.port}/{expense.id}" if expense.id else ""
    if looking:
        return Charge(quota=action.instance, dimensions=dimensions, amount=0, wanted=asked)
    return Charge(quota=action.instance, dimensions=dimensions, amount=asked, deduplication_id=name)
