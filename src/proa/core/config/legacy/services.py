"""Which host an IstioService means, who a source is, and what a set of labels is called as a subset."""

import re
from collections.abc import Mapping

from proa.core.config.legacy.schema import IstioService
from proa.core.model.digest import digest_of
from proa.core.model.names import DOMAIN_SUFFIX, expand_host

_LONGEST_SUBSET = 63
_NO_NAME = re.compile(r"[^A-Za-z0-9-]+")
APP_LABEL = "app"
"""The label by which a workload tells its service: Istio asks for it, and `proa run` sets it."""


def spelled_host(service: IstioService, namespace: str) -> str:
    """As a rule of `namespace` writes it: short for a service of its own namespace. Empty when nothing is named."""
    if service.service or not service.name:
        return service.service
    where = service.namespace or namespace
    domain = service.domain or DOMAIN_SUFFIX
    if where == namespace and domain == DOMAIN_SUFFIX:
        return service.name
    return f"{service.name}.{where}.{domain}"


def full_host(service: IstioService, namespace: str) -> str:
    """In full and lower case: what tells two spellings of one host from two hosts."""
    return expand_host(spelled_host(service, namespace), namespace)


def home_of(host: str, namespace: str) -> str:
    """The namespace in which a DestinationRule for a full host holds for every client: its service's own, or for a
    host outside that of the rule."""
    stem, dot, _ = host.rpartition("." + DOMAIN_SUFFIX)
    name, inner, own = stem.partition(".")
    return own if dot and name and inner and "." not in own else namespace


def source_service(source: IstioService, namespace: str) -> tuple[str, str] | None:
    """The name and namespace of a client's service; None for a host outside the mesh, which is nobody's client."""
    if source.service and source.service != "*":
        host = full_host(source, namespace)
        if not host.endswith("." + DOMAIN_SUFFIX) or host.startswith("*"):
            return None
        name, _, where = host.removesuffix("." + DOMAIN_SUFFIX).partition(".")
        return name, where
    if source.name:
        return source.name, source.namespace or namespace
    return "", source.namespace


def source_labels(source: IstioService, namespace: str) -> dict[str, str]:
    """The labels of a workload of that service."""
    service = source_service(source, namespace)
    own = {APP_LABEL: service[0]} if service and service[0] else {}
    return {**own, **dict(source.labels)}


def subset_name(labels: Mapping[str, str]) -> str:
    """`{version: "1.0"}` -> `version-1-0`. Empty for no labels. A long name ends in a digest of the labels."""
    plain = _NO_NAME.sub("-", "-".join(f"{key}-{labels[key]}" for key in sorted(labels))).strip("-")
    if len(plain) <= _LONGEST_SUBSET:
        return plain
    digest = digest_of(tuple(sorted(labels.items())))[:8]
    return f"{plain[: _LONGEST_SUBSET - 9].rstrip('-')}-{digest}"


def object_name(host: str) -> str:
    """A host as an object's name: `*.foo.com` -> `wildcard.foo.com`."""
    name = host.lower().replace("*.", "wildcard.").replace("*", "wildcard-")
    return re.sub(r"[^a-z0-9.-]", "-", name).strip("-.")
