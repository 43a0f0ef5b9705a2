"""Whether 2018's roles make sense: Istio's rules for their fields. Called through the kinds table.

2018 passed over keys it did not know, and over groups, so that a role allowed more than it said. Here they are errors.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from proa.core.config.hostnames import name_fault, subnet_fault
from proa.core.config.kinds.rbac_2018.schema import RbacConfig, RbacTarget, ServiceRole, ServiceRoleBinding
from proa.core.config.labels import is_namespace_name
from proa.core.config.meta import Meta
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.policy_values import pattern_fault, port_fault
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
Fault = Callable[[str], str | None]
_CONSTRAINTS: Final[Mapping[str, Fault]] = {
    "destination.ip": subnet_fault,
    "destination.port": port_fault,
    "destination.name": pattern_fault,
    "destination.namespace": pattern_fault,
    "destination.user": pattern_fault,
}
_PROPERTIES: Final[Mapping[str, Fault]] = {
    "source.ip": subnet_fault,
    "source.namespace": pattern_fault,
    "source.user": pattern_fault,
    "source.principal": pattern_fault,
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
        for number, constraint in enumerate(rule.constraints):
            at = (*SPEC, "rules", index, "constraints", number)
            yield from _check_key(constraint.key, _CONSTRAINTS, _KEYED_CONSTRAINTS, (*at, "key"))
            fault_of = _CONSTRAINTS.get(constraint.key, pattern_fault)
            for place, value in enumerate(constraint.values):
                if value and (fault := fault_of(value)):
                    yield Finding((*at, "values", place), "bad-value", fault)


def validate_binding(spec: ServiceRoleBinding, _meta: Meta) -> Iterator[Finding]:
    if spec.role_ref.kind != "ServiceRole":
        message = f'"{shorten(spec.role_ref.kind)}" is no kind of roles; write ServiceRole'
        yield Finding((*SPEC, "roleRef", "kind"), "bad-value", message)
    for index, subject in enumerate(spec.subjects):
        at = (*SPEC, "subjects", index)
        if not subject.user and not subject.group and not subject.properties:
            yield Finding(at, "required", "an empty subject says nothing; write a user, group or properties")
        for key, value in subject.properties.items():
            place = (*at, "properties", key)
            yield from _check_key(key, _PROPERTIES, _KEYED_PROPERTIES, place)
            if fault := _PROPERTIES.get(key, pattern_fault)(value):
                yield Finding(place, "bad-value", fault)


def _check_key(key: str, known: Mapping[str, Fault], maps: tuple[str, ...], at: Path) -> Iterator[Finding]:
    keyed = _KEYED.fullmatch(key)
    if not key or key in known or (keyed is not None and keyed[1] in maps):
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
    for index, service in enumerate(target.services):
        if service and (fault := name_fault(service)):
            yield Finding((*at, "services", index), "bad-value", fault)
    for index, namespace in enumerate(target.namespaces):
        if namespace and not is_namespace_name(namespace):
            message = f'"{shorten(namespace)}" is no namespace; write a name'
            yield Finding((*at, "namespaces", index), "bad-value", message)
