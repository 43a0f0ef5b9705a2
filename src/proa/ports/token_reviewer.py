"""Who a bearer token speaks for. The authority asks, adapters ask whoever issued it."""

from typing import Protocol

import msgspec

from proa.core.auth.denial import Denial

MAX_TOKEN = 16 * 1024
"""Characters of a token; a longer one is refused unread."""


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """The token is good. `subject` is whom it names in its issuer's words, `issuer` who says so; `workload` the name of
    the pod or process it was made for, "" when it does not say."""

    issuer: str
    subject: str
    workload: str = ""


class TokenDenied(msgspec.Struct, frozen=True, kw_only=True):
    """Why it is not good. The text never repeats the token."""

    reason: str
    code: Denial = "jwt invalid"


class TokenReviewer(Protocol):
    async def review(self, token: str) -> Reviewed | TokenDenied | None:
        """None: the token is of another issuer, somebody else may know it. Raises StoreTemporary when nobody can say
        now; the call may then be tried again."""
