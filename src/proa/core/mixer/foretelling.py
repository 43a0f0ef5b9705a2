"""What Mixer's rules say of a request that nobody sends, as far as that follows from configuration: nobody is asked.

A denier, a list that stands in its parameters, and a noop answer by what they are told once; whoever asks another
adapter is named, and so is what would be charged. `proa explain` tells it, offline too; `proa mixer check` asks them.
"""

from collections.abc import Iterable, Iterator

import msgspec

from proa.core.attributes.value_types import Bag
from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.config.mixer.parameters import Adapter, Denier, ListChecker, Noop
from proa.core.mixer.denier import denial_of
from proa.core.mixer.plan.dispatch import NOTHING, Prepared, charges, checks, generators
from proa.core.mixer.plan.in_force import InForce
from proa.core.mixer.plan.service_charges import owed_for
from proa.core.mixer.plan.values import Call
from proa.core.mixer.plan.verdict import Answered, CheckAnswer, Failure, Verdict, combine
from proa.core.mixer.pushdown.forms import value_answer
from proa.core.mixer.templates import Instance
from proa.core.model.names import ObjectRef


class Foretold(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict` is of the checks that can be foretold, `rules` of all that match. `learning` are calls that are made
    first: what they tell may change all the rest. `opened` are checks, `charged` quotas with their amounts, that
    adapters decide when they are asked."""

    verdict: Verdict = Verdict()
    rules: tuple[ObjectRef, ...] = ()
    learning: tuple[Call, ...] = ()
    opened: tuple[Call, ...] = ()
    charged: tuple[tuple[Call, int], ...] = ()


def foretell(rules: InForce, bag: Bag, policy: FailurePolicy | None = None) -> Foretold:
    """`policy`: of the rules that fail so alone; None of all. Quotas are for requests, and for `policy` None."""
    plan = rules.plan
    made = checks(plan, bag, NOTHING, policy).calls
    answered: list[Answered] = []
    opened: list[Call] = []
    for each in made:
        answer = _answer(plan.handlers[each.call.action.handler].parameters, each)
        if answer is None:
            opened.append(each.call)
        else:
            answered.append(Answered(call=each.call, answer=answer))
    return Foretold(
        verdict=combine(answered),
        rules=_rules(made),
        learning=tuple(each.call for each in generators(plan, bag).calls),
        opened=tuple(opened),
        charged=tuple(_charged(rules, bag)) if policy is None else (),
    )


def _answer(parameters: Adapter, asked: Prepared) -> CheckAnswer | Failure | None:
    if asked.failure is not None or asked.instance is None:
        return asked.failure
    match parameters:
        case Denier():
            return denial_of(parameters)
        case Noop():
            return CheckAnswer()
        case ListChecker() if not parameters.provider_url:
            return value_answer(parameters, _value(asked.instance))
        case _:
            return None


def _value(instance: Instance) -> str:
    found = instance.fields.get("value", "")
    return found if isinstance(found, str) else ""


def _rules(made: Iterable[Prepared]) -> tuple[ObjectRef, ...]:
    return tuple(dict.fromkeys(each.call.rule for each in made))


def _charged(rules: InForce, bag: Bag) -> Iterator[tuple[Call, int]]:
    host = bag.get("destination.service.host")
    if not isinstance(host, str):
        return
    for quota, amount in owed_for(rules.charges, host, bag).amounts:
        for each in charges(rules.plan, bag, NOTHING, quota).calls:
            yield each.call, amount
