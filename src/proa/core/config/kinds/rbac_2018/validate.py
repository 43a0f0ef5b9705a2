"""Whether 2018's roles make sense: Istio's rules for their fields. Called through the kinds table.

2018 passed over keys it did not know, and over groups, so that a role allowed more than it said. Here they are errors.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from proa.core.config.headers import header_name_fault
from proa.core.config.hostnames import name_fault, subnet_fault
from proa.core.config.kinds.rbac_2018.schema import (
    AccessRule,
    RbacConfig,
    RbacTarget,
    ServiceRole,
    ServiceRoleBinding,
)
from proa.core.config.labels import is_namespace_name
from proa.core.config.meta import Meta
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.policy_values import (
    check_patterns,
    host_fault,
    method_doubt,
    method_fault,
    path_fault,
    pattern_doubt,
    pattern_fault,
    port_fault,
    principal_fault,
)
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
Fault = Callable[[str], str | None]
_CONSTRAINTS: Final[Mapping[str, Fault]] = {
    "destination.ip": subnet_fault,
    "destination.port": port_fault,
    "destination.name": pattern_fault,
    "destination.namespace": pattern_fault,
    "destination.user": principal_fault,
}
_PROPERTIES: Final[Mapping[str, Fault]] = {
    "source.ip": subnet_fault,
    "source.namespace": pattern_fault,
    "source.user": principal_fault,
    "source.principal": principal_fault,
    "source.name": pattern_fault,
    "request.auth.principal": pattern_fault,
    "request.auth.audiences": pattern_fault,
    "request.auth.presenter": pattern_fault,
}
_KEYED_CONSTRAINTS: Final = ("destination.labels", "request.headers")
_KEYED_PROPERTIES: Final = ("source.labels", "request.headers", "request.auth.claims")
_KEYED: Final = re.compile(r"([a-z.]+)\[([^\[\]]+)\]")


def validate_role(spec: ServiceRole, _meta: Meta) -> Iterator[Finding]:
    for index, rule in enumerate(spec.rules):
        yield from _check_access(rule, (*SPEC, "rules", index))
        for number, constraint in enumerate(rule.constraints):
            at = (*SPEC, "rules", index, "constraints", number)
            yield from _check_key(constraint.key, _CONSTRAINTS, _KEYED_CONSTRAINTS, (*at, "key"))
            fault_of = _CONSTRAINTS.get(constraint.key, pattern_fault)
            yield from check_patterns(filter(None, constraint.values), (*at, "values"), fault_of)


def _check_access(rule: AccessRule, at: Path) -> Iterator[Finding]:
    """Empty values are told by the schema."""
    yield from check_patterns(filter(None, rule.services), (*at, "services"), host_fault)
    yield from check_patterns(filter(None, rule.paths), (*at, "paths"), path_fault)
    yield from check_patterns(filter(None, rule.methods), (*at, "methods"), method_fault)
    for index, service in enumerate(rule.services):
        if service and "." not in service and "*" not in service:
            yield _short(service, (*at, "services", index))
    for index, method in enumerate(rule.methods):
        if doubt := method_doubt(method):
            yield warning((*at, "methods", index), "no-effect", doubt)


def validate_binding(spec: ServiceRoleBinding, _meta: Meta) -> Iterator[Finding]:
    if spec.role_ref.kind != "ServiceRole":
        message = f'"{shorten(spec.role_ref.kind)}" is no kind of roles; write ServiceRole'
        yield Finding((*SPEC, "roleRef", "kind"), "bad-value", message)
    for index, subject in enumerate(spec.subjects):
        at = (*SPEC, "subjects", index)
        if not subject.user and not subject.group and not subject.properties:
            yield Finding(at, "required", "an empty subject says nothing; write a user, group or properties")
        for name, text, fault_of in (
            ("user", subject.user, principal_fault),
            ("group", subject.group, pattern_fault),
        ):
            if text and (fault := fault_of(text)):
                yield Finding((*at, name), "bad-value", fault)
            elif doubt := pattern_doubt(text):
                yield warning((*at, name), "no-effect", doubt)
        for key, value in subject.properties.items():
            place = (*at, "properties", key)
            yield from _check_key(key, _PROPERTIES, _KEYED_PROPERTIES, place)
            if fault := _PROPERTIES.get(key, pattern_fault)(value):
                yield Finding(place, "bad-value", fault)


def _short(service: str, at: Path) -> Finding:
    name = f"{shorten(service)}.<namespace>.svc.cluster.local"
    return warning(at, "no-effect", f"services are compared by their full names; write {name}")


def _check_key(key: str, known: Mapping[str, Fault], maps: tuple[str, ...], at: Path) -> Iterator[Finding]:
    keyed = _KEYED.fullmatch(key)
    if keyed is not None and keyed[1] in maps:
        fault = header_name_fault(keyed[2]) if keyed[1] == "request.headers" else None
        if fault is not None:
            yield Finding(at, "bad-value", fault)
        return
    if not key or key in known:
        return
    names = (*known, *(f"{each}[key]" for each in maps))
    hint = suggestion(key, names) or f"; the keys are {', '.join(names)}"
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
    if target == RbacTarget():
        yield warning(at, "no-effect", "it names nobody; write services or namespaces")
    for index, service in enumerate(target.services):
        if service and (fault := name_fault(service)):
            yield Finding((*at, "services", index), "bad-value", fault)
        elif service and "." not in service:
            yield _short(service, (*at, "services", index))
    for index, namespace in enumerate(target.namespaces):
        if namespace and not is_namespace_name(namespace):
            message = f'"{shorten(namespace)}" is no namespace; write a name'
            yield Finding((*at, "namespaces", index), "bad-value", message)
