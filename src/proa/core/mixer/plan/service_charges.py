"""Which quotas a request to a service charges, and how much: QuotaSpecs by the services that bindings name.

A spec's rule counts when one of its matches does, or when it has none; a match counts when all its clauses do. Clauses
are about attributes that are texts; an absent one fits nothing. What several specs say of one quota adds up; a spec
that is bound twice counts once.
"""

from collections.abc import Iterable, Iterator

import msgspec
import re2  # type: ignore[import-untyped]
from immutables import Map

from proa.core.attributes.value_types import Bag
from proa.core.config.config import Config
from proa.core.config.istio_service import IstioService
from proa.core.config.kinds.mixer_quota_spec.schema import (
    AttributeMatch,
    QuotaRule,
    QuotaSpec,
    QuotaSpecBinding,
    StringMatch,
)
from proa.core.expression.tracing import Reference
from proa.core.mixer.plan.verdict import united
from proa.core.model.names import ObjectRef

_DOMAIN = "cluster.local"


class ServiceCharges(msgspec.Struct, frozen=True, kw_only=True):
    """Specs by full host name, by namespace (`*.shop.*`), by ending (`*.example.com`) and for all (`*`). Services are
    looked up, so a request costs nothing for bindings of others."""

    specs: Map[ObjectRef, QuotaSpec]
    hosts: Map[str, tuple[ObjectRef, ...]]
    namespaces: Map[str, tuple[ObjectRef, ...]]
    endings: Map[str, tuple[ObjectRef, ...]]
    everywhere: tuple[ObjectRef, ...]


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """`amounts` by quota, in order of names."""

    amounts: tuple[tuple[str, int], ...]
    references: tuple[Reference, ...]


def compile_charges(configs: Iterable[Config]) -> ServiceCharges:
    ordered = sorted(configs, key=lambda config: config.ref)
    specs = {each.ref: each.spec for each in ordered if isinstance(each.spec, QuotaSpec)}
    bound: dict[str, dict[ObjectRef, None]] = {}
    for config in ordered:
        if isinstance(config.spec, QuotaSpecBinding):
            named = [
                ObjectRef("QuotaSpec", each.namespace or config.meta.namespace, each.name)
                for each in config.spec.quota_specs
            ]
            there = [ref for ref in named if ref in specs]
            for service in config.spec.services:
                bound.setdefault(host_of(service, config.meta.namespace), {}).update(dict.fromkeys(there))
    table = {host: tuple(sorted(refs)) for host, refs in bound.items()}
    namespaces = {host[2:-2]: refs for host, refs in table.items() if _is_namespace(host)}
    endings = {
        host[1:]: refs
        for host, refs in table.items()
        if host.startswith("*") and host != "*" and not _is_namespace(host)
    }
    return ServiceCharges(
        specs=Map(specs),
        hosts=Map({host: refs for host, refs in table.items() if not host.startswith("*")}),
        namespaces=Map(namespaces),
        endings=Map(endings),
        everywhere=table.get("*", ()),
    )


def host_of(service: IstioService, namespace: str) -> str:
    """`service` is one already; a short name is of its own namespace, or of the binding's."""
    if service.service:
        return service.service.lower()
    domain = service.domain or f"svc.{_DOMAIN}"
    return f"{service.name}.{service.namespace or namespace}.{domain}".lower()


def _is_namespace(host: str) -> bool:
    return len(host) > 4 and host.startswith("*.") and host.endswith(".*")


def owed_for(charges: ServiceCharges, host: str, bag: Bag) -> Owed:
    """`host` is the full name of the service that the request is for."""
    amounts: dict[str, int] = {}
    seen: dict[Reference, None] = {}
    for ref in sorted(set(specs_for(charges, host.lower()))):
        for rule in charges.specs[ref].rules:
            if _counts(rule, bag, seen):
                for quota in rule.quotas:
                    amounts[quota.quota] = amounts.get(quota.quota, 0) + quota.charge
    return Owed(amounts=tuple(sorted(amounts.items())), references=united(seen))


def specs_for(charges: ServiceCharges, host: str) -> Iterator[ObjectRef]:
    """Those that are bound to a service, by its full name in lower case; the same may come twice."""
    yield from charges.everywhere
    yield from charges.hosts.get(host, ())
    parts = host.split(".")
    if len(parts) > 1:
        yield from charges.namespaces.get(parts[1], ())
    for start in range(len(host)):
        yield from charges.endings.get(host[start:], ())


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
