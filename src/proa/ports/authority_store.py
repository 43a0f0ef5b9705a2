"""What the certificate authority must remember over restarts: join tokens, grants, and what it issued.

Secrets are not stored: of a token only the SHA-256 of its secret (a secret of 256 random bits needs no slow
hash). Times are unix seconds and arguments.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from proa.core.auth.grants import Grant
from proa.core.auth.tokens import TokenRecord, TokenRefused


class Issuance(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate that was signed, written down before it is handed out.

    `serial` is lower-case hex as openssl prints it, `asked_by` the SPIFFE id (or `token:<id>`) that asked.
    """

    serial: str
    identity: str
    dns_names: tuple[str, ...] = ()
    asked_by: str
    not_before: int
    not_after: int
    time: float


class AuthorityStore(Protocol):
    """Every method may raise StoreTemporary or StorePermanent, and has then changed nothing."""

    async def put_token(self, record: TokenRecord) -> None:
        """Keeps a newly minted token. Raises StorePermanent when its id is taken."""

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

    async def prune(self, before: float, limit: int) -> int:
        """Forgets tokens that expired and certificates that ended earlier than `before`, used or not, at most `limit` of
        each, in one step; how many went. A token that is forgotten is refused as one that never was."""
