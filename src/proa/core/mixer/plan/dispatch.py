"""A request through a plan: which calls it causes. Whoever runs handlers makes them, `verdict` combines the answers.

    learn = generators(plan, bag)            make these first; what they tell goes into `learned`
    checks(plan, bag, learned)               all at once; with a policy, those of rules that fail so
    charges(plan, bag, learned, "a quota")   once the verdict is good
    reports(plan, bag, learned)              when the request is over

A match that cannot be evaluated does not match. References are of the request alone: what was learned is its result.
"""

from collections.abc import Iterable, Iterator

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Bag, Value
from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.config.mixer.templates import Variety
from proa.core.expression.tracing import Reference
from proa.core.mixer.formulas import Layered
from proa.core.mixer.plan.index import terms_of
from proa.core.mixer.plan.values import Call, DispatchPlan, RulePlan
from proa.core.mixer.plan.verdict import INTERNAL, Failure, united
from proa.core.mixer.templates import Instance, Known, build

Learned = Map[str, Value]
NOTHING: Learned = Map()


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A call with its instance, or the failure to make one, which counts as a failed call: nobody is asked."""

    call: Call
    instance: Instance | None
    failure: Failure | None = None


class Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    """Calls in the order of the rules. `unmatched`: rules whose match could not be evaluated, and why."""

    calls: tuple[Prepared, ...]
    references: tuple[Reference, ...]
    unmatched: tuple[tuple[RulePlan, str], ...] = ()


def generators(plan: DispatchPlan, bag: Bag) -> Dispatched:
    return _dispatch(plan, bag, NOTHING, "generator")


def checks(
    plan: DispatchPlan, bag: Bag, learned: Learned = NOTHING, policy: FailurePolicy | None = None
) -> Dispatched:
    """Of rules of `policy`, or of all. A call that two rules ask for is made once, for the first of them, and closed if
    one of them says so."""
    return _once(_dispatch(plan, bag, learned, "check", policy=policy))


def charges(plan: DispatchPlan, bag: Bag, learned: Learned, quota: str) -> Dispatched:
    """`quota` is the short name of instances, in whatever case. In earnest where one of two rules is."""
    return _once(_dispatch(plan, bag, learned, "quota", quota.lower()))


def reports(plan: DispatchPlan, bag: Bag, learned: Learned = NOTHING) -> Dispatched:
    """A report that two rules ask for is made twice. Nobody keeps reports, so there are no references."""
    return _dispatch(plan, bag, learned, "report", traced=False)


def learn(plan: DispatchPlan, call: Call, outputs: Map[str, Value], bag: Bag) -> Learned:
    """What a generator told, as the attributes that its instance binds. What is not told stays as it was."""
    told = Layered(bag, Map({f"$out.{name}": value for name, value in outputs.items()}))
    found: dict[str, Value] = {}
    for attribute, formula in plan.instances[call.action.instance].bindings:
        value = formula.trace(told).value
        if value is not None:
            found[attribute] = value
    return Map(found)


def rules_met(
    plan: DispatchPlan, bag: Bag, variety: Variety
) -> tuple[tuple[RulePlan, ...], tuple[Reference, ...]]:
    """Those that a request can meet, the root namespace's first; their matches are still to be evaluated."""
    namespace, seen = _namespace(bag)
    terms = terms_of(bag)
    found: list[RulePlan] = []
    for place in dict.fromkeys((plan.root, namespace)):
        rules = plan.rules.get(place)
        index = rules.index.get(variety) if rules else None
        if rules and index:
            found += (rules.rules[position] for position in index.find(terms))
    return tuple(found), (*seen, *terms.references)


def _namespace(bag: Bag) -> tuple[str, tuple[Reference, ...]]:
    """Whose rules count: the server's, unless it is the client's proxy that asks."""
    kind = bag.get("context.reporter.kind")
    name = "source.namespace" if kind == "outbound" else "destination.namespace"
    value = bag.get(name)
    seen = (
        Reference("context.reporter.kind", None, "absent" if kind is None else "exact"),
        Reference(name, None, "absent" if value is None else "exact"),
    )
    return (value if isinstance(value, str) else ""), seen


def _dispatch(
    plan: DispatchPlan,
    bag: Bag,
    learned: Learned,
    variety: Variety,
    quota: str | None = None,
    *,
    traced: bool = True,
    policy: FailurePolicy | None = None,
) -> Dispatched:
    known = Layered(bag, learned) if learned else bag
    met, seen = rules_met(plan, known, variety)
    references: list[Iterable[Reference]] = [seen]
    calls: list[Prepared] = []
    unmatched: list[tuple[RulePlan, str]] = []
    made: Known | None = None if traced else {}
    for rule in met:
        if policy is not None and rule.policy_for(variety) != policy:
            continue
        if rule.match is not None:
            found = rule.match.trace(known) if traced else rule.match.evaluate(known)
            references.append(found.references)
            if found.error is not None:
                unmatched.append((rule, str(found.error)))
            if found.value is not True:
                continue
        for each, read in _prepared(plan, rule, known, variety, quota, made):
            calls.append(each)
            references.append(read)
    of_request = (each for some in references for each in some if each.name not in learned)
    return Dispatched(
        calls=tuple(calls),
        references=united(of_request) if traced else (),
        unmatched=tuple(unmatched),
    )


def _prepared(
    plan: DispatchPlan,
    rule: RulePlan,
    known: Bag,
    variety: Variety,
    quota: str | None,
    made: Known | None,
) -> Iterator[tuple[Prepared, tuple[Reference, ...]]]:
    for action in rule.actions:
        instance = plan.instances[action.instance]
        if action.variety != variety or (quota is not None and instance.short_name.lower() != quota):
            continue
        is_dry = rule.is_dry or plan.handlers[action.handler].is_dry
        call = Call(rule=rule.ref, action=action, policy=rule.policy_for(variety), is_dry=is_dry)
        built = build(instance, known, known=made)
        failure = None if built.instance else Failure(reason=built.failure, code=INTERNAL)
        yield Prepared(call=call, instance=built.instance, failure=failure), built.references


def _once(dispatched: Dispatched) -> Dispatched:
    first: dict[tuple[str, str], Prepared] = {}
    for each in dispatched.calls:
        action = each.call.action
        known = first.setdefault((action.handler, action.instance), each)
        policy: FailurePolicy = "closed" if each.call.policy == "closed" else known.call.policy
        is_dry = each.call.is_dry and known.call.is_dry
        if (policy, is_dry) != (known.call.policy, known.call.is_dry):
            call = msgspec.structs.replace(known.call, policy=policy, is_dry=is_dry)
            first[action.handler, action.instance] = msgspec.structs.replace(known, call=call)
    return msgspec.structs.replace(dispatched, calls=tuple(first.values()))
