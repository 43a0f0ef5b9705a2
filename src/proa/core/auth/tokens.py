"""Join tokens: what an operator carries to a new host so that it and the control plane trust each other.

A token holds a secret for the control plane, and the root certificate's digest for the host, so the first
contact is authenticated both ways. This module decides spelling and validity; the authority mints, stores and
redeems. Of the secret only a SHA-256 is ever kept.
"""

import base64
import hashlib
import hmac
from typing import Final

import msgspec

from proa.core.auth.denial import Denial
from proa.core.auth.grants import Grant, Placement
from proa.core.auth.spiffe import is_dns_label

PREFIX: Final = "proa1."
SECRET_BYTES: Final = 32
ID_BYTES: Final = 6
MAX_TOKEN: Final = 8192  # characters; a longer text is not looked at


class InvalidToken(ValueError):
    """Text that is no join token. The message never repeats the text: it may hold a secret."""


class JoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """`secret` is hex; `root_sha256` the hex digest of the root certificate's DER; `join` is `host:port` of the
    join server; `servers` are `host:port` of xDS and signing. `trust_domain` is empty in tokens of older programs,
    whose roots name it. `more_joins` are the join servers of other control planes."""

    id: str
    secret: str
    node: str
    root_sha256: str
    join: str
    servers: tuple[str, ...] = ()
    trust_domain: str = ""
    more_joins: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"JoinToken(id={self.id!r}, node={self.node!r})"


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane keeps of a token. `uses` counts those left; times are unix seconds."""

    id: str
    secret_sha256: str
    node: str
    placements: tuple[Placement, ...]
    created: float
    expires: float
    uses: int = 1

    @property
    def grant(self) -> Grant:
        """What redeeming it lets the node place."""
        return Grant(node=self.node, placements=self.placements)


class TokenRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Why a token was not taken, in words for whoever brought it, and as the reason that is counted."""

    reason: str
    code: Denial = "token unknown"


UNKNOWN: Final = TokenRefused(reason="unknown join token")
"""Also said of a known id with a wrong secret: a guesser learns nothing."""


def encode_token(token: JoinToken) -> str:
    """`proa1.` and the token's JSON in base64url without padding."""
    return PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_token(text: str) -> JoinToken:
    """Inverse of encode_token; white space around it is forgiven. Raises InvalidToken."""
    text = text.strip()
    if not text.startswith(PREFIX):
        raise InvalidToken(f"a join token starts with {PREFIX}")
    if len(text) > MAX_TOKEN:
        raise InvalidToken(f"a join token has at most {MAX_TOKEN} characters")
    body = text[len(PREFIX) :]
    try:
        decoded = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        token = msgspec.json.decode(decoded, type=JoinToken)
    except (msgspec.DecodeError, ValueError):
        raise InvalidToken("the join token is cut off or damaged") from None
    if not is_dns_label(token.node):
        raise InvalidToken("the join token names no node")
    return token


def hash_secret(secret: str) -> str:
    """What is stored of a secret, and what the store compares."""
    return hashlib.sha256(secret.encode()).hexdigest()


def redeemed(
    record: TokenRecord | None, secret_sha256: str, node: str, now: float
) -> TokenRecord | TokenRefused:
    """The record with one use less, or why the token is refused. Stores call it inside their transaction.

    `node` is what the token's text says: a text that was altered is as unknown as a wrong secret.
    """
    if record is None or not hmac.compare_digest(record.secret_sha256.encode(), secret_sha256.encode()):
        return UNKNOWN
    if record.node != node:
        return UNKNOWN
    if now >= record.expires:
        return TokenRefused(
            reason=f"join token {record.id} for node {record.node} has expired", code="token expired"
        )
    if record.uses < 1:
        return TokenRefused(
            reason=f"join token {record.id} for node {record.node} has been used", code="token used"
        )
    return msgspec.structs.replace(record, uses=record.uses - 1)
