"""The one policy value: what AuthorizationPolicies of today and roles of 2018 are read into.

The evaluator and the compiler to Envoy both work on it and on nothing else, so that what is tested of one is meant of
the other. Nothing here knows a user's spelling or Envoy's.

A rule holds when any of its sources, any of its operations and all of its conditions do. An attribute that a request
does not have matches no value, so a term about it holds exactly when it is negated.
"""

import re
from typing import Final, Literal

import msgspec

from proa.core.model.names import ObjectRef

Attribute = Literal[
    "principal",
    "namespace",
    "account",
    "trust_domain",
    "workload",
    "workload_name",
    "source_ip",
    "remote_ip",
    "destination_ip",
    "port",
    "sni",
    "request_principal",
    "claim",
    "host",
    "method",
    "path",
    "header",
    "metadata",
    "metadata_list",
]
"""`principal` is a SPIFFE id without its scheme; `namespace`, `account` (`ns/account`) and `trust_domain` are its
parts; `workload` is `name.namespace`, of the DNS name that the authority sets, and `workload_name` its first part.
`claim`, `header` and `metadata` have keys. A `claim` may be a text or a list that holds one; `metadata` is a text,
`metadata_list` a list."""

HTTP_ONLY: Final[frozenset[Attribute]] = frozenset(
    ["request_principal", "claim", "host", "method", "path", "header", "metadata", "metadata_list"]
)
"""What a raw stream does not have."""

OF_PEER: Final[frozenset[Attribute]] = frozenset(
    ["principal", "namespace", "account", "trust_domain", "workload", "workload_name"]
)
"""What only a certificate of the mesh tells."""

ADDRESSES: Final[frozenset[Attribute]] = frozenset(["source_ip", "remote_ip", "destination_ip"])

Shape = Literal["exact", "prefix", "suffix", "present", "template", "block", "number"]
"""`present`: any value but an empty one (of a header: that it is there). `template`: a path with `{*}` and `{**}`.
`block`: an address or CIDR block. `number`: a port."""

Action = Literal["CUSTOM", "DENY", "ALLOW", "AUDIT"]


class Value(msgspec.Struct, frozen=True, order=True):
    shape: Shape
    text: str = ""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """Any of `values`, or none of them when `negated`. `key` is a header's name in lower case, or a claim's path, or
    the filter and path of metadata."""

    attribute: Attribute
    key: tuple[str, ...] = ()
    values: tuple[Value, ...]
    negated: bool = False


Terms = tuple[Term, ...]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what a refusal says. No sources, or no operations: any."""

    name: str
    sources: tuple[Terms, ...] = ()
    operations: tuple[Terms, ...] = ()
    conditions: Terms = ()

    @property
    def terms(self) -> Terms:
        """All there are, wherever they stand."""
        parts = (*self.sources, *self.operations, self.conditions)
        return tuple(term for part in parts for term in part)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`provider` of CUSTOM: whom to ask. `is_dry_run`: only told, never done. An ALLOW without rules refuses whatever
    no other ALLOW lets in."""

    ref: ObjectRef
    action: Action
    rules: tuple[Rule, ...] = ()
    is_dry_run: bool = False
    provider: str = ""


NO_RULE: Final = "none"
"""Names what no rule decided: an ALLOW that was wanted and did not come. Envoy's own word, as dashboards know it."""


_KINDS: Final = {"ServiceRole": "role", "ServiceRoleBinding": "binding"}
_NAME: Final = re.compile(r"ns\[([^\]]*)\]-(\w+)\[([^\]]*)\]-rule\[([^\]]*)\]")


def rule_name(ref: ObjectRef, number: int | str) -> str:
    """As Istio names them, so that its dashboards and habits work: `ns[default]-policy[frontend]-rule[0]`."""
    return f"ns[{ref.namespace}]-{_KINDS.get(ref.kind, 'policy')}[{ref.name}]-rule[{number}]"


def written_as(name: str) -> tuple[tuple[ObjectRef, str], ...]:
    """Who wrote the rule of that name, and where in the object; of a binding its role as well, whose rule it is. A rule
    that stands for a whole object has no place in it."""
    found = _NAME.fullmatch(name)
    if found is None:
        return ()
    namespace, word, object_name, number = found.groups()
    kind = next((kind for kind, each in _KINDS.items() if each == word), "AuthorizationPolicy")
    ref = ObjectRef(kind, namespace, object_name)
    role, dot, of_role = number.rpartition(".")
    if kind == "ServiceRoleBinding" and dot:
        return ((ref, ""), (ObjectRef("ServiceRole", namespace, role), f"rules[{of_role}]"))
    return ((ref, f"rules[{number}]" if number.isdecimal() else ""),)


def closing(ref: ObjectRef, why: str) -> Policy:
    """Refuses everything, in the name of an object that cannot be obeyed: what is unreadable never widens."""
    return Policy(ref=ref, action="DENY", rules=(Rule(name=rule_name(ref, why)),))
