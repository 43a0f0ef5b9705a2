"""Whether 2018's roles make sense: Istio's rules for their fields. Called through the kinds table.

2018 passed over keys it did not know, and over groups, so that a role allowed more than it said. Here they are errors.
"""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.config.hostnames import name_fault
from proa.core.config.kinds.rbac_2018.schema import RbacConfig, RbacTarget, ServiceRole, ServiceRoleBinding
from proa.core.config.labels import is_namespace_name
from proa.core.config.meta import Meta
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
_CONSTRAINTS: Final = (
    "destination.ip",
    "destination.port",
    "destination.name",
    "destination.namespace",
    "destination.user",
)
_PROPERTIES: Final = (
    "source.ip",
    "source.namespace",
    "source.user",
    "source.principal",
    "source.name",
    "source.service",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
)
_KEYED: Final = re.compile(
    r"(request\.headers|destination\.labels|source\.labels|request\.auth\.claims)\[[^\]]+\]"
)
# Mixer's adapter took any property that its instance named.
_BARE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def validate_role(spec: ServiceRole, _meta: Meta) -> Iterator[Finding]:
    for index, rule in enumerate(spec.rules):
        for number, constraint in enumerate(rule.constraints):
            at = (*SPEC, "rules", index, "constraints", number, "key")
            yield from _check_key(constraint.key, _CONSTRAINTS, at)


def validate_binding(spec: ServiceRoleBinding, _meta: Meta) -> Iterator[Finding]:
    if spec.role_ref.kind != "ServiceRole":
        message = f'"{shorten(spec.role_ref.kind)}" is no kind of roles; write ServiceRole'
        yield Finding((*SPEC, "roleRef", "kind"), "bad-value", message)
    for index, subject in enumerate(spec.subjects):
        at = (*SPEC, "subjects", index)
        if not subject.user and not subject.group and not subject.properties:
            yield Finding(at, "required", "an empty subject says nothing; write a user or properties")
        if subject.group:
            message = "2018's proxies passed over groups and let everybody in; use properties with a claim"
            yield warning((*at, "group"), "no-effect", message)
        for key in subject.properties:
            yield from _check_key(key, _PROPERTIES, (*at, "properties", key))


def _check_key(key: str, known: tuple[str, ...], at: Path) -> Iterator[Finding]:
    if not key or key in known or _KEYED.fullmatch(key) or _BARE.fullmatch(key):
        return
    hint = suggestion(key, known) or f"; the keys are {', '.join(known)}, and maps with a key in brackets"
    yield Finding(at, "bad-value", f'there is no key "{shorten(key)}" here{hint}')


def validate_config(spec: RbacConfig, meta: Meta) -> Iterator[Finding]:
    if meta.name and meta.name != "default":
        yield Finding(("metadata", "name"), "bad-value", "there is one RbacConfig, named default; rename it")
    for name, mode, target in (
        ("inclusion", "ON_WITH_INCLUSION", spec.inclusion),
        ("exclusion", "ON_WITH_EXCLUSION", spec.exclusion),
    ):
        at = (*SPEC, name)
        if target is None:
            if spec.mode == mode:
                yield Finding(at, "required", f"{mode} needs an {name}; add it")
            continue
        if spec.mode != mode:
            yield warning(at, "no-effect", f"the {name} counts only with the mode {mode}")
        yield from _check_target(target, at)


def _check_target(target: RbacTarget, at: Path) -> Iterator[Finding]:
    for index, service in enumerate(target.services):
        if service and (fault := name_fault(service)):
            yield Finding((*at, "services", index), "bad-value", fault)
    for index, namespace in enumerate(target.namespaces):
        if namespace and not is_namespace_name(namespace):
            message = f'"{shorten(namespace)}" is no namespace; write a name'
            yield Finding((*at, "namespaces", index), "bad-value", message)
