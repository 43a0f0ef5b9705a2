"""What rules read of their callers, decided before anybody calls: workloads that agree in it are one group.

A caller is known by the name in its certificate, and what the world knows of that workload is constant until it comes
or goes. So a rule about labels of callers is one about a set of names, which is another set only when a workload that
the rule can tell from a stranger is another one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.expression.folding import Facts, fold
from proa.core.expression.typed import KEYED, Apply, Constant, Read, Typed
from proa.core.mixer.asked import Party
from proa.core.mixer.needs import is_never
from proa.core.mixer.plan.index import Demand, Term, demanded
from proa.core.mixer.plan.values import DispatchPlan

SOURCE: Final = "source."
OF_REQUEST: Final = frozenset(("source.principal", "source.user", "source.ip"))
"""Not of the workload: the certificate and the connection tell them."""
_LABELS: Final = "source.labels"
_NAMESPACE: Final = frozenset((("source.namespace", None), ("source.workload.namespace", None)))

Terms = frozenset[Term]
"""Attributes of callers, or keys of their labels; the key None: the attribute as a whole."""
NO_TERMS: Final[Terms] = frozenset()


class Group(msgspec.Struct, frozen=True):
    """Callers of whom the same is known; `names` in order, as `workload.namespace`, or `*.namespace`."""

    facts: Facts
    names: tuple[str, ...]


def terms_of(roots: Iterable[Typed]) -> Terms:
    return frozenset(term for root in roots for term in _terms(root))


def _terms(node: Typed) -> Iterator[tuple[str, str | None]]:
    match node:
        case Apply(function, arguments=(Read(name="source.labels"), Constant(value=str() as key))) if (
            function in KEYED
        ):
            yield _LABELS, key
        case Read(name=name):
            if _is_of_callers(name):
                yield name, None
        case Apply():
            for argument in node.arguments:
                yield from _terms(argument)
        case Constant():
            pass


def facts_of_caller(terms: Terms, party: Party | None) -> Facts:
    """What is known of a caller, as far as it is read. None: a stranger, of whom all of it is absent."""
    known: Mapping[str, Value] = party.attributes("source") if party else {}
    facts: dict[str, Value | None] = {name: known.get(name) for name, _ in terms}
    if party and _LABELS in facts and (_LABELS, None) not in terms:
        keys = sorted(key for name, key in terms if name == _LABELS and key is not None)
        facts[_LABELS] = Map({key: party.labels[key] for key in keys if key in party.labels})
    return facts


def facts_of_newcomer(terms: Terms) -> Facts:
    """What is known of a workload of the mesh of which nothing is known yet but its name: that it wears no label."""
    return {_LABELS: Map()} if any(name == _LABELS for name, _ in terms) else {}


def demand_of_callers(match: Typed | None) -> Demand:
    """What a caller must be whenever the match is true."""
    demand: Demand = demanded(match) if match is not None else Map()
    return Map({term: values for term, values in demand.items() if _is_of_callers(term[0])})


def _is_of_callers(name: str) -> bool:
    return name.startswith(SOURCE) and name not in OF_REQUEST


def _value(party: Party, term: Term) -> Value | None:
    """As a match reads it: a label that is not worn is the empty text."""
    name, key = term
    return party.attributes("source").get(name) if key is None else party.labels.get(key, "")


def can_meet(demand: Demand, party: Party | None) -> bool:
    """None: a newcomer, who may be anything but wears no label."""
    for term, values in demand.items():
        value = _value(party, term) if party is not None else "" if term[1] is not None else None
        if value not in values and (party is not None or term[1] is not None):
            return False
    return True


class Callers:
    """All workloads that may call, by their names as certificates have them: `workload.namespace`. A value: one with
    other workloads is another one. What is asked for is made then, and kept."""

    def __init__(self, parties: Map[str, Party] = Map()) -> None:
        self.parties = parties
        self._groups: dict[Terms, tuple[Group, ...]] = {}
        self._index: dict[Term, dict[Value | None, list[str]]] = {}

    def groups(self, terms: Terms) -> tuple[Group, ...]:
        """In the order of their first names."""
        if terms not in self._groups:
            self._groups[terms] = tuple(self._grouped(terms, sorted(self.parties)))
        return self._groups[terms]

    def groups_that_meet(self, terms: Terms, demand: Demand) -> tuple[Group, ...]:
        """Those that a rule may mean, found without looking at all others. `demand` is not empty."""
        few = min((self._holding(term, values) for term, values in demand.items()), key=len)
        names = (name for name in sorted(few) if can_meet(demand, self.parties[name]))
        return tuple(self._grouped(terms, names))

    def _holding(self, term: Term, values: Iterable[str]) -> list[str]:
        if term not in self._index:
            index = self._index[term] = {}
            for name, party in self.parties.items():
                index.setdefault(_value(party, term), []).append(name)
        return [name for value in values for name in self._index[term].get(value, ())]

    def _grouped(self, terms: Terms, names_in_order: Iterable[str]) -> Iterator[Group]:
        found: dict[object, tuple[Facts, list[str]]] = {}
        for name in names_in_order:
            facts = facts_of_caller(terms, self.parties[name])
            _, names = found.setdefault(tuple(sorted(facts.items(), key=_by_name)), (facts, []))
            names.append(name)
        for facts, names in found.values():
            # A namespace is in every name, so its workloads need not be known one by one.
            of_namespace = bool(terms) and terms <= _NAMESPACE
            yield Group(facts, (f"*.{names[0].rpartition('.')[2]}",) if of_namespace else tuple(names))


def _by_name(item: tuple[str, Value | None]) -> str:
    return item[0]


NOBODY: Final = Callers()


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """A rule whose checks read their callers; `match` None: it is for all of them. `demand` is what its match does of
    a caller."""

    namespace: str
    match: Typed | None
    terms: Terms
    demand: Demand


def concerns_of(plan: DispatchPlan) -> tuple[Concern, ...]:
    """Each once: many rules ask for the same."""
    return tuple(dict.fromkeys(_concerns(plan)))


def _concerns(plan: DispatchPlan) -> Iterator[Concern]:
    for rule in (rule for rules in plan.rules.values() for rule in rules.rules):
        checks = [action for action in rule.actions if action.variety == "check"]
        fields = [formula for action in checks for _, formula in plan.instances[action.instance].fields]
        match = rule.match.program.checked.root if rule.match else None
        roots = [formula.program.checked.root for formula in fields]
        terms = terms_of(roots if match is None else [match, *roots])
        if checks and terms:
            demand = demand_of_callers(match)
            yield Concern(namespace=rule.ref.namespace, match=match, terms=terms, demand=demand)


def namespaces_moved(
    concerns: Iterable[Concern], before: Party | None, after: Party | None
) -> frozenset[str]:
    """The namespaces of the rules to which a workload that came, went or changed is another caller now. None: there is
    no workload of that name."""
    return frozenset(each.namespace for each in concerns if _is_moved(each, before, after))


def _is_moved(concern: Concern, before: Party | None, after: Party | None) -> bool:
    """One that the rule can neither mean before nor afterwards is no concern of it."""
    if not can_meet(concern.demand, before) and not can_meet(concern.demand, after):
        return False
    was, becomes = _facts_of_member(concern.terms, before), _facts_of_member(concern.terms, after)
    return was != becomes and not (_is_out(concern.match, was) and _is_out(concern.match, becomes))


def _facts_of_member(terms: Terms, party: Party | None) -> Facts:
    return facts_of_caller(terms, party) if party else facts_of_newcomer(terms)


def _is_out(match: Typed | None, facts: Facts) -> bool:
    return match is not None and is_never(fold(match, facts), facts)
