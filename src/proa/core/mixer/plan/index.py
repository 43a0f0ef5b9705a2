"""Which rules a request can meet, found without looking at the others: by what their matches demand of its destination
and protocol.

A match that is false, or fails, unless `destination.service.host == "x"` need not be evaluated for other hosts. Rules
without such a demand are looked at each time. What the index reads of a request it reads of every request, so that a
rule for another service changes nothing of what a verdict depends on.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Bag
from proa.core.expression.tracing import Reference
from proa.core.expression.typed import Apply, Constant, Read, Typed
from proa.core.mixer.formulas import Formula

Term: TypeAlias = tuple[str, str | None]
"""An attribute, or a key of one that is a map."""
Demand: TypeAlias = Map[Term, frozenset[str]]
"""Values of terms, one of which the request must have for each."""

PROTOCOL: Final[Term] = ("context.protocol", None)
DESTINATION: Final[tuple[Term, ...]] = (
    ("destination.service.host", None),
    ("destination.service", None),
    ("destination.service.name", None),
    ("destination.workload.name", None),
    ("destination.labels", "app"),
)
"""The first of them that a match demands is what its rule is found by."""
_TERMS: Final = frozenset((*DESTINATION, PROTOCOL))


def demand_of(match: Formula | None) -> Demand:
    """What must hold whenever the match is true."""
    return demanded(match.program.checked.root, _TERMS) if match is not None else Map()


def demanded(node: Typed, terms: frozenset[Term] | None = None) -> Demand:
    """What must hold whenever it is true, of these terms; None: of all."""
    match node:
        case Apply(function="&&" | "all"):
            found: dict[Term, frozenset[str]] = {}
            for term, values in (pair for each in node.arguments for pair in demanded(each, terms).items()):
                found[term] = found[term] & values if term in found else values
            return Map(found)
        case Apply(function="||" | "any"):
            several = [demanded(each, terms) for each in node.arguments]
            common = set(several[0]).intersection(*several[1:])
            return Map({term: frozenset[str]().union(*(each[term] for each in several)) for term in common})
        case Apply(function="==", arguments=(first, second)):
            asked = _term(first) or _term(second)
            value = second if isinstance(second, Constant) else first
            if (
                asked
                and (terms is None or asked in terms)
                and isinstance(value, Constant)
                and isinstance(value.value, str)
            ):
                return Map({asked: frozenset((value.value,))})
        case _:
            pass
    return Map()


def _term(node: Typed) -> Term | None:
    match node:
        case Read():
            return node.name, None
        case Apply("[]" | "get[]", arguments=(Read() as read, Constant(value=str() as key))):
            return read.name, key
        case _:
            return None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the index knows of a request: values of its terms (absent ones are not in it), and what they depend on."""

    values: Map[Term, str]
    references: tuple[Reference, ...]


def terms_of(bag: Bag) -> Terms:
    values: dict[Term, str] = {}
    seen: list[Reference] = []
    for term in (*DESTINATION, PROTOCOL):
        name, key = term
        value = bag.get(name)
        if key is None:
            seen.append(Reference(name, None, "absent" if value is None else "exact"))
        elif value is None or not hasattr(value, "get"):
            seen.append(Reference(name, None, "absent"))
            continue
        else:
            held = value.get(key)
            seen += (
                Reference(name, None, "present"),
                Reference(name, key, "absent" if held is None else "exact"),
            )
            value = held or ""  # a key that is not there reads as an empty text
        if isinstance(value, str):
            values[term] = value
    return Terms(values=Map(values), references=tuple(seen))


_ANY: Final = ""
_Positions: TypeAlias = Map[str, tuple[int, ...]]
"""By protocol; under `_ANY` those that demand none."""


class RuleIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Positions of rules in their list."""

    by_term: Map[Term, Map[str, _Positions]]
    rest: _Positions

    def find(self, terms: Terms) -> Iterator[int]:
        """Those that the request can meet, each once, in order."""
        protocol = terms.values.get(PROTOCOL)
        yield from self.find_for(terms, (protocol,) if protocol else ())

    def find_for(self, terms: Terms, protocols: tuple[str, ...]) -> Iterator[int]:
        """Those that requests of any of these protocols can meet."""
        found = set(_of_protocols(self.rest, protocols))
        for term, by_value in self.by_term.items():
            positions = by_value.get(terms.values[term]) if term in terms.values else None
            found.update(_of_protocols(positions, protocols) if positions else ())
        yield from sorted(found)

    def find_all(self, protocols: tuple[str, ...]) -> Iterator[int]:
        """Those that requests of any of these protocols can meet somewhere."""
        places = (
            self.rest,
            *(positions for values in self.by_term.values() for positions in values.values()),
        )
        yield from sorted({found for positions in places for found in _of_protocols(positions, protocols)})


def _of_protocols(positions: _Positions, protocols: tuple[str, ...]) -> Iterator[int]:
    for protocol in (_ANY, *protocols):
        yield from positions.get(protocol, ())


def build_index(demands: Iterable[tuple[int, Demand]]) -> RuleIndex:
    by_term: dict[Term, dict[str, dict[str, list[int]]]] = {}
    rest: dict[str, list[int]] = {}
    for position, demand in demands:
        protocols = demand.get(PROTOCOL, frozenset((_ANY,)))
        term = next((term for term in DESTINATION if term in demand), None)
        if term is None:
            places = [rest]
        else:
            by_value = by_term.setdefault(term, {})
            places = [by_value.setdefault(value, {}) for value in demand[term]]
        for place in places:
            for protocol in protocols:
                place.setdefault(protocol, []).append(position)
    return RuleIndex(
        by_term=Map(
            {
                term: Map({value: _positions(found) for value, found in by_value.items()})
                for term, by_value in by_term.items()
            }
        ),
        rest=_positions(rest),
    )


def _positions(found: dict[str, list[int]]) -> _Positions:
    return Map({protocol: tuple(positions) for protocol, positions in found.items()})
