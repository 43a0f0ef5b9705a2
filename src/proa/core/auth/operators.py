"""Operators who come from other hosts: what they may, and the identity that says so in a certificate.

The authority signs one for whom an operator names, the admin API's server reads it. The role is part of the identity,
which the authority sets: no file says it again, and another role is another certificate.
"""

import re
from typing import Final, Literal

import msgspec

from proa.core.auth.spiffe import SpiffeId

Role = Literal["admin", "viewer"]

TTL: Final = 8 * 3600
"""Seconds; a working day. Nobody renews one by itself."""
MOST_TTL: Final = 24 * 3600
ASKED: Final = "operator:"
"""Before the name of who asked for such a certificate, in the audit."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Operator(msgspec.Struct, frozen=True):
    """Raises ValueError for a name that cannot stand in an identity."""

    name: str
    role: Role

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name[:80]!r} cannot be an operator's name: at most 64 letters, digits, dots, dashes and "
                "underscores"
            )


def operator_id(trust_domain: str, operator: Operator) -> SpiffeId:
    """`spiffe://<td>/proa/operator/<role>/<name>`: speaks to the admin API, and is no workload's id."""
    return SpiffeId(trust_domain, f"/proa/operator/{operator.role}/{operator.name}")


def operator_of(identity: SpiffeId) -> Operator | None:
    """None for any other shape."""
    match identity.path.split("/"):
        case ["", "proa", "operator", "admin" | "viewer" as role, name] if _NAME.fullmatch(name):
            return Operator(name, "admin" if role == "admin" else "viewer")
    return None
