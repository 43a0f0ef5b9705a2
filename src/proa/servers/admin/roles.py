"""The admin API for those who are not on this host: by a token of the operator's that has a role.

A viewer reads; an admin may all that the socket's user may. Tokens are random and long, so that a SHA-256 of them is
all that the file of roles holds. Nobody without one learns which paths there are.
"""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE
from typing import Final, Literal

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from proa.servers.admin import wire

Role = Literal["admin", "viewer"]
READS: Final = frozenset(("GET", "HEAD"))
READING_POSTS: Final = frozenset(("/v1/diff",))
"""Questions that have a body."""
LEAST_TOKEN: Final = 32
"""Characters. A shorter one could be found by trying hashes."""
MAX_FILE: Final = 1 << 20
BEARER: Final = b"bearer "


class RolesUnusable(Exception):
    """The file of roles: what is wrong with it."""


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token: whose it is, and the hex SHA-256 of its text."""

    name: str
    sha256: str
    role: Role


class Roles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    tokens: tuple[Holder, ...]

    def holder_of(self, token: str) -> Holder | None:
        """Compares with all of them, whichever it is: time tells nothing."""
        if len(token) < LEAST_TOKEN:
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = [
            each for each in self.tokens if hmac.compare_digest(each.sha256.lower().encode(), digest.encode())
        ]
        return found[0] if found else None


def read_roles(path: Path) -> Roles:
    """Raises RolesUnusable."""
    try:
        if S_IMODE(path.stat().st_mode) & 0o022:
            raise RolesUnusable(f"{path} may be written by others than its owner: chmod go-w {path}")
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(MAX_FILE), type=Roles)
    except OSError as error:
        raise RolesUnusable(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise RolesUnusable(f"{path}: {error}") from None
    for each in found.tokens:
        if len(each.sha256) != 64 or not all(digit in "0123456789abcdefABCDEF" for digit in each.sha256):
            raise RolesUnusable(
                f"{path}: {each.name}: sha256 has 64 hex digits (printf %s TOKEN | sha256sum)"
            )
    return found


def may(role: Role, method: str, path: str) -> bool:
    """Whether a role's request may be answered at all."""
    return role == "admin" or method in READS or path in READING_POSTS


def with_roles(app: ASGIApp, roles: Roles, denied: Callable[[str], None]) -> ASGIApp:
    """The app for who has a token; `denied` is told who was refused."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        bearer = dict(scope["headers"]).get(b"authorization", b"")
        token = bearer[len(BEARER) :].decode(errors="replace") if bearer.lower().startswith(BEARER) else ""
        holder = roles.holder_of(token.strip())
        if holder is None:
            denied("(no token)")
            await _refuse(send, 401, "a token of the operator's is needed")
        elif not may(holder.role, scope["method"], scope["path"]):
            denied(holder.name)
            await _refuse(send, 403, f"{holder.name} is a {holder.role}, and may only look")
        else:
            await app(scope, receive, send)

    return checked


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": wire.encode(wire.ErrorReply(error=reason))})
