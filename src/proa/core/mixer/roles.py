"""Whether ServiceRoles of 2018 allow what an instance of `authorization` asks: the decision of Mixer's adapter `rbac`.

A role of the action's namespace allows when one of its rules fits the action and one of its bindings has the subject.
A rule fits by service, method, path (any without paths) and all constraints; a subject by all that it says. It needs
namespace, service, method and path; without one of them nothing is allowed.

Unlike 2018's adapter, a subject's properties count beside its user, and PERMISSIVE bindings give nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.core.config.config import Config
from proa.core.config.kinds.rbac_2018.schema import AccessRule, ServiceRole, ServiceRoleBinding, Subject
from proa.core.mixer.templates import Field, Instance, text_of

NEEDED: Final = ("namespace", "service", "method", "path")


class Granted(msgspec.Struct, frozen=True):
    """A role that somebody has."""

    rules: tuple[AccessRule, ...]
    subjects: tuple[Subject, ...]


Roles = Mapping[str, tuple[Granted, ...]]
"""By namespace."""


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    action: Mapping[str, str]
    constrained: Mapping[str, str]
    user: str
    groups: str
    properties: Mapping[str, str]


def compile_roles(configs: Iterable[Config]) -> Roles:
    """Roles without bindings give nothing to anybody. Objects of other kinds are passed over."""
    held = sorted(configs, key=lambda config: config.ref)
    subjects: dict[tuple[str, str], tuple[Subject, ...]] = {}
    for config in held:
        if isinstance(config.spec, ServiceRoleBinding) and config.spec.mode == "ENFORCED":
            place = (config.meta.namespace, config.spec.role_ref.name)
            subjects[place] = (*subjects.get(place, ()), *config.spec.subjects)
    found: dict[str, tuple[Granted, ...]] = {}
    for config in held:
        namespace, name = config.meta.namespace, config.meta.name
        if isinstance(config.spec, ServiceRole) and (namespace, name) in subjects:
            granted = Granted(config.spec.rules, subjects[namespace, name])
            found[namespace] = (*found.get(namespace, ()), granted)
    return Map(found)


def allows(roles: Roles, instance: Instance) -> bool:
    asked = _read(instance)
    if not all(asked.action.get(name) for name in NEEDED):
        return False
    return any(
        any(_fits(rule, asked) for rule in role.rules)
        and any(_has(subject, asked) for subject in role.subjects)
        for role in roles.get(asked.action["namespace"], ())
    )


def _read(instance: Instance) -> _Asked:
    action, subject = (
        dict(_texts(instance.fields.get("action"))),
        dict(_texts(instance.fields.get("subject"))),
    )
    return _Asked(
        action=action,
        constrained=dict(_texts(_below(instance.fields.get("action"), "properties"))),
        user=subject.get("user", ""),
        groups=subject.get("groups", ""),
        properties=dict(_texts(_below(instance.fields.get("subject"), "properties"))),
    )


def _below(field: "Field | None", name: str) -> "Field | None":
    return field.get(name) if isinstance(field, Map) else None


def _texts(field: "Field | None") -> Iterator[tuple[str, str]]:
    """Its values as texts; maps below are none."""
    for name, value in field.items() if isinstance(field, Map) else ():
        if not isinstance(value, Map):
            yield str(name), text_of(value)


def _fits(rule: AccessRule, asked: _Asked) -> bool:
    """Without methods it fits none, as in Mixer."""
    return (
        _is_like(asked.action["service"], rule.services)
        and _is_like(asked.action["method"], rule.methods)
        and (not rule.paths or _is_like(asked.action["path"], rule.paths))
        and all(_is_like(asked.constrained.get(each.key), each.values) for each in rule.constraints)
    )


def _is_like(text: str | None, patterns: Iterable[str]) -> bool:
    """A star at the end is for any rest, or else one at the beginning for any start."""
    return text is not None and any(_is_one(text, pattern) for pattern in patterns)


def _is_one(text: str, pattern: str) -> bool:
    if text == pattern:
        return True
    return (pattern.endswith("*") and text.startswith(pattern[:-1])) or (
        pattern.startswith("*") and text.endswith(pattern[1:])
    )


def _has(subject: Subject, asked: _Asked) -> bool:
    said = bool(subject.user or subject.group or subject.properties)
    return (
        said
        and subject.user in ("", "*", asked.user)
        and subject.group in ("", "*", asked.groups)
        and all(asked.properties.get(name) == value for name, value in subject.properties.items())
    )
