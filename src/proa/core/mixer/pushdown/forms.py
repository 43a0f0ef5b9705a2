"""One call of a check as denials that a proxy says itself, or the reason why there are none.

A call has such a form when its answer follows from its handler's parameters and from what the proxy has of a request:
the match and the instance's fields as conditions, the message with at most one value in it. An instance that cannot be
made denies too, where its rule fails closed, in the words in which Mixer tells it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from proa.core.attributes.value_types import ValueType
from proa.core.config.mixer.parameters import Adapter, Denier, ListChecker, Noop
from proa.core.expression.cel import FALSE, TRUE, Cel, choice
from proa.core.expression.envoy_attributes import IN_ENVOY
from proa.core.expression.envoy_form import Making, bounded
from proa.core.expression.envoy_pieces import NoForm, Obstacle
from proa.core.expression.folding import Facts, fold
from proa.core.expression.program import compile_typed
from proa.core.expression.semantics import EvaluationError
from proa.core.expression.typed import Apply, Constant, Read, Typed, reads_of
from proa.core.mixer.denier import denial_of
from proa.core.mixer.lists import decide, overrides_of, value_fault
from proa.core.mixer.needs import is_never
from proa.core.mixer.plan.values import Action, DispatchPlan
from proa.core.mixer.plan.verdict import INTERNAL, OK, CheckAnswer
from proa.core.mixer.pushdown.callers import (
    Callers,
    Group,
    Terms,
    demand_of_callers,
    facts_of_caller,
    facts_of_newcomer,
    terms_of,
)
from proa.core.mixer.pushdown.values import Denial, Whose
from proa.core.mixer.templates import InstancePlan, not_told
from proa.core.model.names import ObjectRef

MOST_CALLERS: Final = 256
"""Names in one call's conditions: Envoy compares a caller's with one after the other, some 0.1 µs each."""
MOST_ENTRIES: Final = 256
"""Of a list, for the same reason."""
_MANY_CALLERS: Final = NoForm(
    f"more than {MOST_CALLERS} workloads would have to be told apart by name",
    'ask for source.principal, like match(source.principal, "cluster.local/ns/NAMESPACE/*")',
)
_SLOT: Final = "\x1a"
"""Stands for the value while a message is made; no list's message has it of its own."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """One call at one place. `match` None: always. `facts` are the place's, `told` what generators may say in their
    stead, `of_apis` what HTTPAPISpecs do."""

    plan: DispatchPlan
    rule: ObjectRef
    action: Action
    match: Typed | None
    is_closed: bool
    facts: Facts
    told: frozenset[str]
    of_apis: frozenset[str] = frozenset()

    @property
    def instance(self) -> InstancePlan:
        return self.plan.instances[self.action.instance]

    @property
    def parameters(self) -> Adapter:
        return self.plan.handlers[self.action.handler].parameters

    @property
    def roots(self) -> tuple[Typed, ...]:
        fields = tuple(formula.program.checked.root for _, formula in self.instance.fields)
        return fields if self.match is None else (self.match, *fields)


def denials_of(asking: Asking, callers: Callers | None) -> tuple[Denial, ...] | NoForm:
    """None at all: nobody is ever denied. `callers` None: only strangers call."""
    obstacle = _obstacle(asking)
    if obstacle is not None:
        return obstacle
    terms = terms_of(asking.roots)
    try:
        strangers = tuple(_ways(asking, facts_of_caller(terms, None)))
        if callers is None:
            return strangers
        newcomers = _of_newcomers(asking, terms, strangers)
        told_apart: dict[tuple[Denial, ...], list[str]] = {}
        many = 0
        for group in _groups(asking, callers, terms, newcomers):
            ways = tuple(_ways(asking, group.facts))
            if ways != newcomers:
                told_apart.setdefault(ways, []).extend(group.names)
                many += len(group.names)
                if many > MOST_CALLERS:
                    return _MANY_CALLERS
    except Obstacle as found:
        return found.form
    return tuple(_each(told_apart, newcomers, strangers))


def _groups(
    asking: Asking, callers: Callers, terms: Terms, newcomers: tuple[Denial, ...]
) -> tuple[Group, ...]:
    """Those that may be told apart from newcomers."""
    if not terms:
        return ()
    demand = demand_of_callers(asking.match)
    if demand and not newcomers:
        return callers.groups_that_meet(terms, demand)
    return callers.groups(terms)


def _of_newcomers(asking: Asking, terms: Terms, strangers: tuple[Denial, ...]) -> tuple[Denial, ...]:
    """Whoever is known by nothing but a name that the rule reads is a stranger to it, until more is known."""
    try:
        return tuple(_ways(asking, facts_of_newcomer(terms)))
    except Obstacle:
        return strangers


def _each(
    told_apart: dict[tuple[Denial, ...], list[str]],
    newcomers: tuple[Denial, ...],
    strangers: tuple[Denial, ...],
) -> Iterator[Denial]:
    for ways, names in told_apart.items():
        yield from _of(ways, Whose(tuple(sorted(names))))
    apart = tuple(sorted(name for names in told_apart.values() for name in names))
    if newcomers == strangers:
        yield from _of(strangers, Whose(apart, "others") if apart else None)
    else:
        yield from _of(newcomers, Whose(apart, "newcomers"))
        yield from _of(strangers, Whose((), "strangers"))


def _of(ways: tuple[Denial, ...], whose: Whose | None) -> Iterator[Denial]:
    return (msgspec.structs.replace(each, whose=whose) for each in ways)


def _obstacle(asking: Asking) -> NoForm | None:
    """What needs no look at the callers."""
    read = {read.name for root in asking.roots for read in reads_of(root)}
    if generated := sorted(read & asking.told):
        return NoForm(
            f"it reads {', '.join(generated)}, which an adapter tells of each request",
            "ask for an attribute that the proxy has",
        )
    if told := sorted(read & asking.of_apis):
        return NoForm(
            f"it reads {', '.join(told)}, which HTTPAPISpecs tell of each request",
            "ask for request.path and request.method",
        )
    if "source.ip" in read:
        return NoForm(
            "source.ip: Envoy's CEL does not compare addresses", "ask for who calls, not from where"
        )
    return _obstacle_of(asking.parameters)


def _obstacle_of(parameters: Adapter) -> NoForm | None:
    match parameters:
        case Denier() | Noop():
            return None
        case ListChecker(provider_url=str() as url) if url:
            return NoForm(f"its list is fetched from {url}", "write the list into overrides")
        case ListChecker():
            if len(parameters.overrides) > MOST_ENTRIES:
                return NoForm(f"its list has more than {MOST_ENTRIES} entries", "split it, or write REGEX")
            return None
        case _:
            return NoForm("its adapter answers by more than its parameters")


def _ways(asking: Asking, of_caller: Facts) -> Iterator[Denial]:
    """For one kind of caller. Raises Obstacle."""
    facts = {**asking.facts, **of_caller}
    match = TRUE_NODE if asking.match is None else fold(asking.match, facts)
    if is_never(match, facts):
        return
    roots = [(path, fold(formula.program.checked.root, facts)) for path, formula in asking.instance.fields]
    failures: list[Denial] = []
    for path, root in roots:
        failure = _failure(asking, match, path, root, facts)
        if failure is not None:
            failures.append(failure)
            if all(each.name in facts for each in reads_of(root)):
                break  # it is never made
    if len(failures) > 1:
        raise Obstacle(f"several fields of {asking.instance.name} may be absent", 'add | "" to them')
    if asking.is_closed:
        yield from failures
    for denial in _answers(asking, match, roots[0][1] if roots else None, facts):
        conditions = [each.condition for each in failures]
        if _cel(match, facts) not in conditions:
            made = [choice(condition, FALSE, denial.condition) for condition in conditions]
            yield msgspec.structs.replace(denial, condition=made[0]) if made else denial


TRUE_NODE: Final = Constant(True, ValueType.BOOL)


def _failure(asking: Asking, match: Typed, path: tuple[str, ...], root: Typed, facts: Facts) -> Denial | None:
    """When a field of the instance has no value. None: it always has."""
    if Making(facts).is_total(root):
        return None
    text = not_told(asking.instance, path, _error_of(root))
    condition = _cel(match, facts)
    if not all(each.name in facts for each in reads_of(root)):
        read = _only_read(root)
        found = IN_ENVOY.get(read.name) if read else None
        if found is None or found.present is None:
            raise Obstacle(f"{'.'.join(path)} of {asking.instance.name} may be absent", 'add | "" to it')
        condition = _both(condition, choice(found.present, FALSE, TRUE))
    return Denial(
        rule=asking.rule,
        handler=asking.action.handler,
        instance=asking.action.instance,
        whose=None,
        condition=condition,
        code=INTERNAL,
        text=text,
    )


def _both(first: Cel, second: Cel) -> Cel:
    """Fails where the first one does, and where it is met and the second fails."""
    return second if first == TRUE else choice(first, second, FALSE)


def _only_read(root: Typed) -> Read | None:
    match root:
        case Read() | Apply(function="[]", arguments=(Read(), Constant())):
            return next(reads_of(root))
        case _:
            return None


def _error_of(root: Typed) -> str:
    """Of what is read, nothing is there."""
    try:
        compile_typed(root)({})
    except EvaluationError as error:
        return str(error)
    raise Obstacle("Mixer alone can say why its value is missing")


def _answers(asking: Asking, match: Typed, value: Typed | None, facts: Facts) -> Iterator[Denial]:
    """What the handler denies of what it is given."""
    match asking.parameters:
        case Denier() as parameters:
            yield _denial(asking, _cel(match, facts), denial_of(parameters))
        case ListChecker() as parameters:
            yield from _of_list(asking, parameters, match, value, facts)
        case _:
            return


def _of_list(
    asking: Asking, parameters: ListChecker, match: Typed, value: Typed | None, facts: Facts
) -> Iterator[Denial]:
    if value is None or isinstance(value, Constant):
        # An instance without a value asks for the empty text.
        text = str(value.value) if isinstance(value, Constant) else ""
        answer = value_answer(parameters, text)
        if answer.code != OK:
            yield _denial(asking, _cel(match, facts), answer)
        return
    if parameters.entry_type not in ("STRINGS", "REGEX"):
        kind = "letters' case" if parameters.entry_type == "CASE_INSENSITIVE_STRINGS" else "addresses"
        raise Obstacle(f"Envoy's CEL does not compare {kind}", "write a list of STRINGS or REGEX")
    listed = _any_of(_entry(parameters, entry, value) for entry in dict.fromkeys(parameters.overrides))
    met = listed if parameters.blacklist else Apply("==", ValueType.BOOL, ValueType.BOOL, (listed, _NO))
    answer = decide(parameters, _SLOT, is_listed=parameters.blacklist)
    before, slot, after = answer.message.partition(_SLOT)
    assert slot, "a list's message names the value"
    denied = _denial(asking, _cel(_all_of(match, met), facts), answer)
    read = _only_read(value)
    shown = IN_ENVOY[read.name] if isinstance(value, Read) and read and read.name not in facts else None
    is_long = shown is not None and bool(shown.prefix)
    yield msgspec.structs.replace(
        denied,
        text=before,
        value=shown.value if shown is not None and is_long else bounded(Making(facts).plain(value)),
        prefix=shown.prefix if shown is not None and is_long else "",
        after=after,
    )


_NO: Final = Constant(False, ValueType.BOOL)


def value_answer(parameters: ListChecker, value: str) -> CheckAnswer:
    """Of a list that is in the parameters alone."""
    return value_fault(parameters, value) or decide(
        parameters, value, is_listed=overrides_of(parameters).has(value)
    )


def _entry(parameters: ListChecker, entry: str, value: Typed) -> Typed:
    wanted = Constant(entry, ValueType.STRING)
    if parameters.entry_type == "REGEX":
        return Apply("matches", ValueType.BOOL, None, (wanted, value))
    return Apply("==", ValueType.BOOL, ValueType.STRING, (value, wanted))


def _any_of(nodes: Iterable[Typed]) -> Typed:
    found = tuple(nodes)
    if len(found) < 2:
        return found[0] if found else _NO
    return Apply("||", ValueType.BOOL, None, found)


def _all_of(first: Typed, second: Typed) -> Typed:
    return second if first == TRUE_NODE else Apply("&&", ValueType.BOOL, None, (first, second))


def _denial(asking: Asking, condition: Cel, answer: CheckAnswer) -> Denial:
    return Denial(
        rule=asking.rule,
        handler=asking.action.handler,
        instance=asking.action.instance,
        whose=None,
        condition=condition,
        code=answer.code,
        text=answer.message,
    )


def _cel(root: Typed, facts: Facts) -> Cel:
    making = Making(facts)
    found = bounded(making.plain(root))
    assert not making.at_end, "what is known at the end is no fact of a check"
    return found
