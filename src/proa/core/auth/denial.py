"""Names of the reasons for which somebody is refused for what he is: counted in metrics, told in the log and the audit.

A closed list, so that no caller can make series of his own. Reasons of amount are `control_plane.limits`.
"""

from typing import Literal

Denial = Literal[
    "no certificate",
    "certificate expired",
    "certificate not yet valid",
    "certificate untrusted",
    "handshake failed",
    "wrong trust domain",
    "wrong identity",
    "revoked",
    "token unknown",
    "token used",
    "token expired",
    "token of another mesh",
    "token malformed",
    "jwt invalid",
    "jwt not for us",
    "no identity",
    "csr unreadable",
    "csr key",
    "csr signature",
    "csr identity",
    "csr names",
    "csr ca",
    "no grant",
    "not granted",
    "not registered",
    "malformed name",
    "role",
]
