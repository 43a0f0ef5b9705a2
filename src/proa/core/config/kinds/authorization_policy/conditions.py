"""Which attributes a policy may ask for in `when`, and what values they have. Called by this kind's validator."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from proa.core.config.headers import header_name_fault
from proa.core.config.hostnames import subnet_fault
from proa.core.config.kinds.authorization_policy.patterns import accounts_fault
from proa.core.config.kinds.authorization_policy.schema import Condition
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.policy_values import check_patterns, pattern_fault, port_fault, principal_fault
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

_PLAIN: Final[Mapping[str, Callable[[str], str | None]]] = {
    "source.ip": subnet_fault,
    "remote.ip": subnet_fault,
    "source.namespace": pattern_fault,
    "source.principal": principal_fault,
    "source.serviceAccount": accounts_fault,
    "source.trustDomain": pattern_fault,
    "request.auth.principal": pattern_fault,
    "request.auth.audiences": pattern_fault,
    "request.auth.presenter": pattern_fault,
    "destination.ip": subnet_fault,
    "destination.port": port_fault,
    "connection.sni": pattern_fault,
}
_WITH_KEYS: Final = ("request.headers", "request.auth.claims")
_FILTERS: Final = "experimental.envoy.filters."
_KEYS = re.compile(r"(\[[^\[\]]+\])+")
_RENAMED: Final = {
    "source.user": "source.principal",
    "destination.user": "nothing; it is the workload's own",
    "destination.namespace": "the policy's own namespace",
    "destination.labels": "the policy's selector",
    "destination.name": "the policy's selector",
    "destination.service": "the policy's selector",
}


def check_condition(condition: Condition, at: Path) -> Iterator[Finding]:
    if not condition.key:
        yield Finding((*at, "key"), "required", "a condition asks for an attribute; write its key")
        return
    if not condition.values and not condition.not_values:
        yield Finding(at, "required", "a condition needs values or notValues; add one of them")
    name = condition.key.partition("[")[0]
    if fault := _key_fault(name, condition.key[len(name) :]):
        yield Finding((*at, "key"), "bad-value", fault)
        return
    if name.startswith(_FILTERS):
        listed = {
            value.startswith("[") and value.endswith("]")
            for value in (*condition.values, *condition.not_values)
        }
        if len(listed) > 1:
            yield Finding(at, "conflict", "a list's values stand in brackets; write all of them so, or none")
    fault_of = _PLAIN.get(name, pattern_fault)
    for field, values in (("values", condition.values), ("notValues", condition.not_values)):
        yield from check_patterns(values, (*at, field), fault_of)


def _key_fault(name: str, keys: str) -> str | None:
    """`keys` are the brackets behind the name."""
    if name in _PLAIN:
        return None if not keys else f"{name} takes no key in brackets; remove it"
    if name in _WITH_KEYS or name.startswith(_FILTERS):
        if not _KEYS.fullmatch(keys):
            return (
                None if name.startswith(_FILTERS) and not keys else f"{name} needs a key; write {name}[key]"
            )
        if name == "request.headers":
            return header_name_fault(keys[1:-1])
        return None
    if name in _RENAMED:
        return f"{name} is of 2018; today it is {_RENAMED[name]}"
    hint = (
        suggestion(name, (*_PLAIN, *_WITH_KEYS))
        or f"; the attributes are {', '.join((*_PLAIN, *_WITH_KEYS))}"
    )
    return f'there is no attribute "{shorten(name)}"{hint}'
