"""What is refused before its time: a certificate, an identity, a workload or a node; and what follows from it.

The authority writes Revocations to its store, `in_force` makes of them the one value that all who check certificates
are told, and `refusal` is the check itself for those who see a certificate here. Times are unix seconds.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from proa.core.auth.operators import operator_of
from proa.core.auth.spiffe import (
    SCHEME,
    InvalidSpiffeId,
    account_of,
    control_plane_id,
    node_of,
    parse_spiffe_id,
    workload_dns_name,
)
from proa.core.model.names import WorkloadId
from proa.core.model.revoked import Revoked

Kind = Literal["serial", "identity", "workload"]

MOST: Final = 10_000
"""Revocations in force. Each sidecar holds all of them; whoever has more to distrust wants another root."""
MAX_REASON: Final = 500
_SERIAL: Final = re.compile(r"[0-9a-f]{1,40}")
_HEX: Final = re.compile(r"(?:0x)?[0-9A-Fa-f:]+")


class InvalidTarget(ValueError):
    """A text that names nothing which could be revoked; the message says why."""


class Target(msgspec.Struct, frozen=True, order=True):
    """`value`: a serial in lower-case hex, a SPIFFE id, or `<namespace>/<workload>`."""

    kind: Kind
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """`ends` is when it is of no use any more (the end of the certificate), 0 for never; `lifted` when it was taken
    back, 0 for not. `holder` is the SPIFFE id of the node whose key it is, which is told so that it makes a new one; ""
    when the holder is not to be trusted with another."""

    target: Target
    reason: str
    author: str
    time: float
    ends: float = 0.0
    lifted: float = 0.0
    holder: str = ""

    @property
    def key(self) -> str:
        return f"{self.target.kind}:{self.target.value}"

    def holds(self, now: float) -> bool:
        return not self.lifted and (not self.ends or now < self.ends)


def parse_target(text: str, trust_domain: str) -> Target:
    """A serial (hex, with or without colons), a SPIFFE id of a workload, node or operator, or `namespace/workload`.
    Raises InvalidTarget."""
    text = text.strip()
    if text.startswith(SCHEME):
        try:
            identity = parse_spiffe_id(text)
        except InvalidSpiffeId as error:
            raise InvalidTarget(str(error)) from None
        if identity == control_plane_id(trust_domain):
            raise InvalidTarget("the control plane's own identity cannot be revoked; rotate the root instead")
        # What a partner calls its workloads is its affair.
        is_own = identity.trust_domain == trust_domain
        shapes = (account_of, node_of, operator_of)
        if not identity.path or (is_own and all(shape(identity) is None for shape in shapes)):
            raise InvalidTarget(f"{text} is neither a workload's nor a node's nor an operator's identity")
        return Target("identity", str(identity))
    namespace, slash, name = text.partition("/")
    if slash:
        try:
            workload_dns_name(WorkloadId(namespace, name), trust_domain)
        except ValueError as error:
            raise InvalidTarget(str(error)) from None
        return Target("workload", f"{namespace}/{name}")
    if _HEX.fullmatch(text):
        serial = text.lower().removeprefix("0x").replace(":", "").lstrip("0")
        if _SERIAL.fullmatch(serial):
            return Target("serial", serial)
    raise InvalidTarget(
        f"{text[:80]!r} is no serial (hex), no SPIFFE id and no workload (namespace/name): nothing to revoke"
    )


def in_force(records: Iterable[Revocation], trust_domain: str, now: float) -> Revoked:
    """What holds at `now`. Records that are over count for `since` still."""
    found: dict[Kind, set[str]] = {"serial": set(), "identity": set(), "workload": set()}
    since = 0
    for each in records:
        since = max(since, int(each.time * 1000))
        if each.holds(now):
            found[each.target.kind].add(each.target.value)
    return Revoked(
        serials=tuple(sorted(found["serial"])),
        identities=tuple(sorted(found["identity"])),
        names=tuple(sorted(_dns_name(each, trust_domain) for each in found["workload"])),
        since=since,
    )


def refusal(revoked: Revoked, *, serial: str = "", identity: str = "", names: Iterable[str] = ()) -> str:
    """Why who shows these is refused, "" when he is not."""
    if serial and serial in revoked.serials:
        return f"certificate {serial} is revoked"
    if identity and identity in revoked.identities:
        return f"identity {identity} is revoked"
    for name in names:
        if name in revoked.names:
            return f"workload {name} is revoked"
    return ""


def _dns_name(workload: str, trust_domain: str) -> str:
    namespace, _, name = workload.partition("/")
    return workload_dns_name(WorkloadId(namespace, name), trust_domain)
