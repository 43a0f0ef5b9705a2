"""The admin API's words about the certificate authority: its roots and what signs, how far a rotation is, the audit.

Shapes only, like `servers.admin.operations`, whose `AdminOperations` has the methods. Fields are only ever added,
always with a default.
"""

from typing import Literal

import msgspec

from proa.core.auth.revocation import Revocation
from proa.core.auth.root_rotation import Phase
from proa.ports.authority_store import AuthorityEvent, Issuance

AUDIT_LIMIT = 100


class RootStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One trusted root. `digest` is the SHA-256 of its DER; times are unix seconds, 0 for what has not happened."""

    digest: str
    phase: Phase
    subject: str
    prepared_at: float
    activated_at: float = 0.0
    not_before: int
    not_after: int
    is_plugged: bool = False


class SignerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What signs leafs now: an intermediate, or the CA that the operator brought."""

    subject: str
    serial: str
    root: str
    not_before: int
    not_after: int
    is_plugged: bool = False


class AuthorityStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`waiting` says why the next step of a rotation is not taken; a rotation is over when there is one root."""

    roots: tuple[RootStatus, ...]
    signer: SignerStatus
    waiting: tuple[str, ...] = ()


class OwnBundle(msgspec.Struct, frozen=True, kw_only=True):
    """The mesh's trust bundle, in both forms in which a partner may want it. `endpoint_id` is what the control plane's
    bundle endpoint shows."""

    trust_domain: str
    pem: str
    document: str
    endpoint: str = ""
    endpoint_id: str = ""


class FederatedRoot(msgspec.Struct, frozen=True, kw_only=True):
    """`digest` is the SHA-256 of its DER, `not_after` unix seconds."""

    digest: str
    not_after: int


class FederationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's trust domain, by the word of an `object`. Without `roots` nobody of it is believed; `failing` is
    why its endpoint, if there is one, does not answer."""

    trust_domain: str
    object: str
    namespaces: tuple[str, ...]
    roots: tuple[FederatedRoot, ...] = ()
    endpoint: str = ""
    failing: str = ""


class RotateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new intermediate signs at once; a new root is prepared, and the rest follows by itself."""

    what: Literal["root", "intermediate"]
    author: str = ""


class PlugRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A CA that the operator brings, as the PEM texts of its files; `chain` leads from it to its root."""

    cert: str
    key: str
    chain: str = ""
    author: str = ""

    def __repr__(self) -> str:
        return "PlugRequest(...)"


class RevokeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`what`: a certificate's serial, a SPIFFE id, or `namespace/workload`. `restore` takes a revocation back."""

    what: str
    reason: str = ""
    author: str = ""
    restore: bool = False


class RevocationList(msgspec.Struct, frozen=True, kw_only=True):
    """Those in force, the newest first; in the answer to a RevokeRequest what it added or took back."""

    revocations: tuple[Revocation, ...] = ()


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first: what was signed, and what else happened (refusals, steps of rotations)."""

    issuances: tuple[Issuance, ...] = ()
    events: tuple[AuthorityEvent, ...] = ()
