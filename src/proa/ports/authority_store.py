"""What the certificate authority must remember over restarts: join tokens, grants, what it issued, refused and
revoked, and what became of its own keys.

Secrets are not stored: of a token only the SHA-256 of its secret (a secret of 256 random bits needs no slow
hash). Times are unix seconds and arguments.
"""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

import msgspec
from immutables import Map

from proa.core.auth.grants import Grant
from proa.core.auth.revocation import Revocation
from proa.core.auth.tokens import TokenRecord, TokenRefused


class Issuance(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate that was signed, written down before it is handed out.

    `serial` is lower-case hex as openssl prints it, `asked_by` the SPIFFE id (or `token:<id>`) that asked. `issuer` is
    the signer's subject (RFC 4514), `root_sha256` the digest of the root it chains to; both are empty in the
    records of older programs.
    """

    serial: str
    identity: str
    dns_names: tuple[str, ...] = ()
    asked_by: str
    not_before: int
    not_after: int
    time: float
    issuer: str = ""
    root_sha256: str = ""


EventKind = Literal[
    "root-prepared", "root-activated", "root-retired", "signer-replaced", "refused", "revoked", "restored"
]


class AuthorityEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something else that an auditor asks for: a step of a rotation, or a certificate that was refused.

    `subject` is the digest of the root, the serial of the signer, or the identity that was asked for; `asked_by`
    whoever asked (`proa` when a clock did); `detail` is for people.
    """

    time: float
    kind: EventKind
    subject: str
    asked_by: str
    detail: str = ""


class AuthorityStore(Protocol):
    """Every method may raise StoreTemporary or StorePermanent, and has then changed nothing."""

    async def put_token(self, record: TokenRecord) -> None:
        """Keeps a newly minted token. Raises StorePermanent when its id is taken."""

    async def token(self, token: str) -> TokenRecord | None:
        """The token with that id, used up and expired ones too; None for one that never was or is forgotten."""

    async def tokens(self) -> tuple[TokenRecord, ...]:
        """All tokens, used up and expired ones too, by id."""

    async def redeem(
        self, token: str, secret_sha256: str, node: str, now: float
    ) -> TokenRecord | TokenRefused:
        """Uses a token for `node` once, in one atomic step: of two callers with the last use one is refused.

        Success also makes the token's placements the node's grant (a new token replaces an old grant) and
        returns the record with its use taken off. A refusal changes nothing.
        """

    async def put_grant(self, grant: Grant) -> None:
        """Sets what a node may place."""

    async def remove_grant(self, node: str) -> bool:
        """Takes a node's rights away; False when it had none."""

    async def grant_of(self, node: str) -> Grant | None:
        """What a node may place; None for a node that never joined or was removed."""

    async def grants(self) -> tuple[Grant, ...]:
        """All grants, by node."""

    def watch_grants(self) -> AsyncGenerator[tuple[Grant, ...]]:
        """Level-triggered: all grants at once, then whenever one has changed. Ends when the store closes."""

    async def record_issuance(self, issuance: Issuance) -> None:
        """Appends to the audit; durable when it returns. Raises StorePermanent when the serial was used."""

    async def issuances(self, identity: str | None = None, limit: int = 100) -> tuple[Issuance, ...]:
        """The audit, newest first; of one SPIFFE id or of all."""

    async def issuance(self, serial: str) -> Issuance | None:
        """The certificate with that serial."""

    async def issued_by(self, asked_by: str, now: float, limit: int) -> tuple[Issuance, ...]:
        """What somebody asked for and that has not ended at `now`, the newest first."""

    async def put_revocation(self, revocation: Revocation) -> None:
        """Keeps it in place of another of the same key; durable when it returns."""

    async def revocations(self) -> tuple[Revocation, ...]:
        """All that are remembered, over or lifted ones too, by key."""

    def watch_revocations(self) -> AsyncGenerator[tuple[Revocation, ...]]:
        """Level-triggered, as `watch_grants`."""

    async def holders(self, now: float) -> Map[str, int]:
        """Whoever may hold a certificate that is valid at `now` or later: SPIFFE id of the asker -> the latest
        `not_after` of what it got. For a certificate that a token asked for the holder is its `identity`."""

    async def record_event(self, event: AuthorityEvent) -> None:
        """Appends to the audit; durable when it returns."""

    async def events(self, limit: int = 100) -> tuple[AuthorityEvent, ...]:
        """The newest first."""

    async def prune(self, before: float, limit: int) -> int:
        """Forgets tokens that expired, certificates that ended and events that happened earlier than `before`,
        used or not, and revocations that ended or were lifted then (but never the newest: sidecars go by its
        time), at most `limit` of each, in one step; how many went. A token that is forgotten is refused as
        one that never was."""
