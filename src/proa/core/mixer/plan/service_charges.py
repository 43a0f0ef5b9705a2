"""Which quotas a request to a service charges, and how much: QuotaSpecs by the services that bindings name.

A spec's rule counts when one of its matches does, or when it has none; a match counts when all its clauses do. Clauses
are about attributes that are texts; an absent one fits nothing. What several specs say of one quota adds up; a spec
that is bound twice counts once.
"""

from collections.abc import Iterable

import msgspec
import re2  # type: ignore[import-untyped]
from immutables import Map

from proa.core.attributes.value_types import Bag
from proa.core.config.config import Config
from proa.core.config.kinds.mixer_quota_spec.schema import (
    AttributeMatch,
    QuotaRule,
    QuotaSpec,
    QuotaSpecBinding,
    StringMatch,
)
from proa.core.expression.tracing import Reference
from proa.core.mixer.plan.bound_services import Binding, BoundServices, bind_services, bound_to
from proa.core.mixer.plan.verdict import united
from proa.core.model.names import ObjectRef


class ServiceCharges(msgspec.Struct, frozen=True, kw_only=True):
    """Specs, and which of them are bound to a service."""

    specs: Map[ObjectRef, QuotaSpec] = Map()
    bound: BoundServices = BoundServices()


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """`amounts` by quota, in order of names."""

    amounts: tuple[tuple[str, int], ...]
    references: tuple[Reference, ...]


def compile_charges(configs: Iterable[Config]) -> ServiceCharges:
    held = tuple(configs)
    specs = {each.ref: each.spec for each in held if isinstance(each.spec, QuotaSpec)}
    bindings = (
        Binding(namespace=each.meta.namespace, services=each.spec.services, named=each.spec.quota_specs)
        for each in held
        if isinstance(each.spec, QuotaSpecBinding)
    )
    return ServiceCharges(specs=Map(specs), bound=bind_services("QuotaSpec", specs, bindings))


def owed_for(charges: ServiceCharges, host: str, bag: Bag) -> Owed:
    """`host` is the full name of the service that the request is for."""
    amounts: dict[str, int] = {}
    seen: dict[Reference, None] = {}
    for ref in bound_to(charges.bound, host.lower()):
        for rule in charges.specs[ref].rules:
            if _counts(rule, bag, seen):
                for quota in rule.quotas:
                    amounts[quota.quota] = amounts.get(quota.quota, 0) + quota.charge
    return Owed(amounts=tuple(sorted(amounts.items())), references=united(seen))


def _counts(rule: QuotaRule, bag: Bag, seen: dict[Reference, None]) -> bool:
    """Clauses are read until it is known, in order of names, so that equal specs depend on the same."""
    return not rule.match or any(_fits(match, bag, seen) for match in rule.match)


def _fits(match: AttributeMatch, bag: Bag, seen: dict[Reference, None]) -> bool:
    for name, wanted in sorted(match.clause.items()):
        value = bag.get(name)
        seen[Reference(name, None, "absent" if value is None else "exact")] = None
        if not isinstance(value, str) or not _is_like(wanted, value):
            return False
    return True


def _is_like(wanted: StringMatch, value: str) -> bool:
    if wanted.exact is not None:
        return value == wanted.exact
    if wanted.prefix is not None:
        return value.startswith(wanted.prefix)
    return wanted.regex is not None and re2.fullmatch(wanted.regex, value) is not None
