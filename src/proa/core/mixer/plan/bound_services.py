"""Which objects bindings of 2018 bind to a service: QuotaSpecs, HTTPAPISpecs. Services are looked up by their names, so
a request costs nothing for bindings of others."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.config.istio_service import IstioService, NamedSpec
from proa.core.model.names import ObjectRef

_DOMAIN: Final = "cluster.local"


class BoundServices(msgspec.Struct, frozen=True, kw_only=True):
    """Refs by full host name, by namespace (`*.shop.*`), by ending (`*.example.com`) and for all (`*`)."""

    hosts: Map[str, tuple[ObjectRef, ...]] = Map()
    namespaces: Map[str, tuple[ObjectRef, ...]] = Map()
    endings: Map[str, tuple[ObjectRef, ...]] = Map()
    everywhere: tuple[ObjectRef, ...] = ()


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """Of objects of one kind, by whichever kind of binding."""

    namespace: str
    services: tuple[IstioService, ...]
    named: tuple[NamedSpec, ...]


def bind_services(kind: str, there: Iterable[ObjectRef], bindings: Iterable[Binding]) -> BoundServices:
    """What is named and not `there` is left out."""
    known = frozenset(there)
    bound: dict[str, set[ObjectRef]] = {}
    for binding in bindings:
        named = {ObjectRef(kind, each.namespace or binding.namespace, each.name) for each in binding.named}
        for service in binding.services:
            bound.setdefault(host_of(service, binding.namespace), set()).update(named & known)
    table = {host: tuple(sorted(refs)) for host, refs in bound.items()}
    return BoundServices(
        hosts=Map({host: refs for host, refs in table.items() if not host.startswith("*")}),
        namespaces=Map({host[2:-2]: refs for host, refs in table.items() if _is_namespace(host)}),
        endings=Map(
            {
                host[1:]: refs
                for host, refs in table.items()
                if host.startswith("*") and host != "*" and not _is_namespace(host)
            }
        ),
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


def bound_to(bound: BoundServices, host: str) -> tuple[ObjectRef, ...]:
    """Those that are bound to a service, by its full name in lower case; each once, in order."""
    return tuple(sorted(set(_bound_to(bound, host))))


def _bound_to(bound: BoundServices, host: str) -> Iterator[ObjectRef]:
    yield from bound.everywhere
    yield from bound.hosts.get(host, ())
    parts = host.split(".")
    if len(parts) > 1:
        yield from bound.namespaces.get(parts[1], ())
    for start in range(len(host) if bound.endings else 0):
        yield from bound.endings.get(host[start:], ())
