"""How 2018's bindings named a service. Shared by the kinds that have it."""

from collections.abc import Iterator
from types import MappingProxyType

from immutables import Map

from proa.core.config.hostnames import is_dns_label, name_fault
from proa.core.config.labels import check_labels, is_namespace_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Record
from proa.core.config.tree import shorten


class IstioService(Record, frozen=True, kw_only=True):
    """A short name with namespace and domain, or a full one, or a pattern: `*`, `*.namespace.*`."""

    SNAKE_TOO = True
    IDLE = MappingProxyType({"labels": "a binding is for a service as a whole"})

    name: str = ""
    namespace: str = ""
    domain: str = ""
    service: str = ""
    labels: Map[str, str] = Map()


def check_service(service: IstioService, at: Path) -> Iterator[Finding]:
    if not service.name and not service.service:
        yield Finding(at, "required", "a service needs its name; write name or service")
    if service.name and service.service:
        yield Finding(at, "conflict", "name and service exclude each other; keep one")
    if service.name and not is_dns_label(service.name):
        message = f'"{shorten(service.name)}" is no short name; write letters, digits and inner dashes'
        yield Finding((*at, "name"), "bad-value", message)
    if service.namespace and not is_namespace_name(service.namespace):
        yield Finding(
            (*at, "namespace"), "bad-value", f'"{shorten(service.namespace)}" is no namespace; write a name'
        )
    if service.domain and (fault := name_fault(service.domain)):
        yield Finding((*at, "domain"), "bad-value", fault)
    parts = [part for part in service.service.split(".") if part not in ("", "*")]
    if parts and (fault := name_fault(".".join(parts))):
        yield Finding((*at, "service"), "bad-value", fault)
    yield from check_labels(service.labels, (*at, "labels"))


class NamedSpec(Record, frozen=True, kw_only=True):
    """An object that a binding binds; no namespace: the binding's own."""

    name: str
    namespace: str = ""


def check_named(spec: NamedSpec, at: Path) -> Iterator[Finding]:
    if not is_dns_label(spec.name):
        yield Finding((*at, "name"), "bad-value", f'"{shorten(spec.name)}" is no name; write one')
    if spec.namespace and not is_namespace_name(spec.namespace):
        yield Finding(
            (*at, "namespace"), "bad-value", f'"{shorten(spec.namespace)}" is no namespace; write a name'
        )
