"""Which calls of a place's checks the proxy answers itself.

The law: with and without the pushdown the same requests are refused, and a request that the proxy refuses has the
status that Mixer would give it, and Mixer's message as far as the proxy's own denials go; a remote check that comes
later is not asked any more, and adds nothing to it. The status is that of the first denial in the order of the rules.
So a call that has a form stays remote behind a remote one that may refuse the same request: that one is asked first.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.mixer.parameters import Noop
from proa.core.expression.envoy_pieces import NoForm
from proa.core.expression.folding import Facts
from proa.core.expression.typed import Typed, reads_of
from proa.core.mixer.asked import OF_REQUESTS, Place
from proa.core.mixer.needs import Met, rules_met
from proa.core.mixer.plan.index import Demand, demanded
from proa.core.mixer.plan.values import Action, DispatchPlan
from proa.core.mixer.pushdown.callers import SOURCE, Callers
from proa.core.mixer.pushdown.forms import Asking, denials_of
from proa.core.mixer.pushdown.values import Denial, Ran
from proa.core.model.names import ObjectRef

REFUSES: Final = "its own refusals"
KNOWN: Final = "all that it reads is known to the proxy"
ASKS: Final = "ext_authz"


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """`denials` in the order in which they count. `ran` has every call of a check that can be made."""

    denials: tuple[Denial, ...] = ()
    ran: tuple[Ran, ...] = ()

    @property
    def asked(self) -> frozenset[tuple[ObjectRef, Action]]:
        """The calls for which Mixer has to be asked."""
        return frozenset((each.rule, each.action) for each in self.ran if each.where == "mixer")


class _Before(msgspec.Struct, frozen=True):
    """A remote call that may refuse a request for which `demand` holds."""

    rule: ObjectRef
    demand: Demand


WITHOUT_PEER: Final[Facts] = Map({"source.principal": None, "source.user": None, "connection.mtls": False})
"""Where no certificate of the mesh is shown."""


def decide_checks(plan: DispatchPlan, place: Place, callers: Callers, *, has_peer: bool = True) -> Decided:
    """Without `has_peer` everybody who calls is a stranger."""
    met = tuple(rules_met(plan, place, "check"))
    told = plan.told
    denials: list[Denial] = []
    ran: list[Ran] = []
    before: list[_Before] = []
    mixed = _of_two_policies(plan, met)
    for rule in met:
        for action in _checks_of(rule):
            asking = _asking(plan, rule, action, place, told, has_peer)
            found = denials_of(asking, callers if has_peer else None)
            obstacle = found if isinstance(found, NoForm) else None
            obstacle = obstacle or mixed.get((action.handler, action.instance))
            if found and obstacle is None:
                obstacle = _behind(rule, before)
            if obstacle is None:
                denials += found if not isinstance(found, NoForm) else ()
                ran.append(
                    Ran(
                        rule=rule.rule.ref,
                        action=action,
                        where="proxy",
                        by=REFUSES,
                        reason=_why(plan, action, found),
                    )
                )
                continue
            before.append(_Before(rule.rule.ref, _demand(rule)))
            ran.append(
                Ran(
                    rule=rule.rule.ref,
                    action=action,
                    where="mixer",
                    by=ASKS,
                    reason=obstacle.reason,
                    change=obstacle.hint,
                )
            )
    return Decided(denials=tuple(denials), ran=tuple(ran))


def _why(plan: DispatchPlan, action: Action, found: tuple[Denial, ...] | NoForm) -> str:
    if found:
        return KNOWN
    is_quiet = isinstance(plan.handlers[action.handler].parameters, Noop)
    return "it never refuses" if is_quiet else "nobody is known whom it could refuse"


def _checks_of(met: Met) -> Iterator[Action]:
    return (action for action in met.rule.actions if action.variety == "check")


def _asking(
    plan: DispatchPlan, met: Met, action: Action, place: Place, told: frozenset[str], has_peer: bool
) -> Asking:
    asking = Asking(
        plan=plan,
        rule=met.rule.ref,
        action=action,
        match=met.match,
        is_closed=met.rule.policy_for("check") == "closed",
        facts=Map(),
        told=told,
        of_apis=place.apis.names,
    )
    facts = dict(facts_of_checks(place, told, asking.roots))
    if not has_peer:
        facts.update((name, value) for name, value in WITHOUT_PEER.items() if name not in told)
    return msgspec.structs.replace(asking, facts=facts)


def facts_of_checks(place: Place, told: frozenset[str], roots: Iterable[Typed]) -> Facts:
    """What is known at the place of all that is read. What nobody tells when a request is checked is absent."""
    facts: dict[str, Value | None] = {}
    for name in {read.name for root in roots for read in reads_of(root)} - told:
        if not name.startswith(SOURCE) and name not in OF_REQUESTS and name not in place.apis.names:
            facts[name] = place.attributes.get(name)
    return facts


def _behind(met: Met, before: Iterable[_Before]) -> NoForm | None:
    demand = _demand(met)
    for each in before:
        if not _exclude(demand, each.demand):
            return NoForm(
                f"{each.rule.namespace}/{each.rule.name} is asked first and may refuse the same request",
                f"give it a name before {each.rule.name}"
                if each.rule.namespace == met.rule.ref.namespace
                else "",
            )
    return None


def _demand(met: Met) -> Demand:
    return Map() if met.match is None else demanded(met.match)


def _exclude(one: Demand, other: Demand) -> bool:
    """Whether no request can meet both."""
    return any(term in other and not values & other[term] for term, values in one.items())


def _of_two_policies(plan: DispatchPlan, met: Iterable[Met]) -> dict[tuple[str, str], NoForm]:
    """Calls that may fail, made once for rules of which one fails closed and one open. If both match it is closed."""
    policies: dict[tuple[str, str], set[str]] = {}
    for rule in met:
        for action in _checks_of(rule):
            if plan.instances[action.instance].fields:
                policies.setdefault((action.handler, action.instance), set()).add(
                    rule.rule.policy_for("check")
                )
    obstacle = NoForm(
        "rules of both failure policies make this call", "give them the same proa.dev/failure-policy"
    )
    return {call: obstacle for call, found in policies.items() if len(found) > 1}
