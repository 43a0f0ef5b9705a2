"""The admin API for those who are not on this host: by a token of the operator's, or by a certificate of the mesh's CA
for an operator. Both have a role and a name, and the name is the author of what its holder changes.

A viewer reads; an admin may all that the socket's user may. Tokens are random and long, so that a SHA-256 of them is
all that the file of roles holds. Who has neither learns not even which paths there are.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from stat import S_IMODE
from typing import Final, Literal

import msgspec
from cryptography import x509
from starlette.types import ASGIApp, Receive, Scope, Send

from proa.core.auth.denial import Denial
from proa.core.auth.operators import Role, operator_of
from proa.core.auth.spiffe import account_of, node_of
from proa.ports.failures import StoreFailure
from proa.servers.admin import wire
from proa.servers.asgi import CERTIFICATE
from proa.servers.grpc_edge import Judge, PeerRefused, read_peer

READS: Final = frozenset(("GET", "HEAD"))
READING_POSTS: Final = frozenset(
    (
        "/v1/diff",
        "/v1/explain",
        "/v1/peers",
        "/v1/mixer/check",
        "/v1/mixer/explain",
        "/v1/mixer/quota",
        "/v1/mixer/report",
    )
)
"""Questions that have a body."""
CERTIFYING: Final = "/v1/operators"
"""A certificate gets nobody the next one: who stole it has it until it ends."""
PLUGGING: Final = "/v1/plug"
"""A CA's key does not travel between hosts, and who stole a token is not to become the CA."""
LEAST_TOKEN: Final = 32
"""Characters. A shorter one could be found by trying hashes."""
MAX_FILE: Final = 1 << 20
BEARER: Final = b"bearer "
AUTHOR: Final = "proa.author"
"""In an ASGI scope: the name of who asks."""


class RolesUnusable(Exception):
    """The file of roles: what is wrong with it."""


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token: whose it is, and the hex SHA-256 of its text."""

    name: str
    sha256: str
    role: Role


class Roles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    tokens: tuple[Holder, ...] = ()

    def holder_of(self, token: str) -> Holder | None:
        """Compares with all of them, whichever it is: time tells nothing."""
        if len(token) < LEAST_TOKEN:
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = [
            each for each in self.tokens if hmac.compare_digest(each.sha256.lower().encode(), digest.encode())
        ]
        return found[0] if found else None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a role, and what showed it."""

    name: str
    role: Role
    by: Literal["token", "certificate"]


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """Why a caller has no role. `name` is for the count of refusals, and is none that a stranger could choose."""

    reason: str
    code: Denial = "role"
    name: str


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


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes in. `judge` says why a certificate is refused before its end, "" for not; `clock` gives unix seconds.
    TLS has found already that a certificate is under a root of the mesh; time passes on an open connection. `issued_to`
    says to which identity a serial was given, None for one that was not signed here: where the mesh's root is an
    organisation's, others sign under it too, and make no operators."""

    roles: Roles
    trust_domain: str
    judge: Judge
    clock: Callable[[], float]
    issued_to: Callable[[str], Awaitable[str | None]]

    async def caller(self, authorization: bytes, certificate: bytes | None) -> Caller | Stranger:
        """A token that was sent counts, good or bad; without one the certificate (DER) does."""
        if authorization:
            bearer = authorization.lower().startswith(BEARER)
            token = authorization[len(BEARER) :].decode(errors="replace") if bearer else ""
            holder = self.roles.holder_of(token.strip())
            if holder is None:
                return Stranger(reason="a token of the operator's is needed", name="(no token)")
            return Caller(name=holder.name, role=holder.role, by="token")
        if certificate is None:
            needed = "a token of the operator's is needed, or an operator's certificate"
            return Stranger(reason=needed, name="(no token)")
        return await self._by_certificate(certificate)

    async def _by_certificate(self, certificate: bytes) -> Caller | Stranger:
        try:
            read = x509.load_der_x509_certificate(certificate)
            peer = read_peer(read)
        except (ValueError, PeerRefused):
            return Stranger(
                reason="the certificate has no SPIFFE id", code="wrong identity", name="(certificate)"
            )
        identity, name = peer.identity, str(peer.identity)
        if identity.trust_domain != self.trust_domain:
            return Stranger(
                reason=f"{name} is of another mesh than {self.trust_domain}",
                code="wrong trust domain",
                name=name,
            )
        operator = operator_of(identity)
        if operator is None:
            whose = "a workload" if account_of(identity) else "a node" if node_of(identity) else "nobody"
            return Stranger(
                reason=f"{name} is {whose}'s certificate, and no operator's", code="wrong identity", name=name
            )
        if read.not_valid_after_utc.timestamp() <= self.clock():
            return Stranger(reason="the certificate has ended", code="certificate expired", name=name)
        revoked = self.judge(peer)
        if revoked:
            return Stranger(reason=revoked, code="revoked", name=name)
        if await self.issued_to(peer.serial) != name:
            return Stranger(
                reason=f"certificate {peer.serial} of {name} was not signed here",
                code="certificate untrusted",
                name=name,
            )
        return Caller(name=operator.name, role=operator.role, by="certificate")


def with_roles(app: ASGIApp, door: Door, denied: Callable[[Denial, str], None]) -> ASGIApp:
    """The app for whom the door knows, by his name; `denied` is told who was refused, and for what."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        authorization = dict(scope["headers"]).get(b"authorization", b"")
        try:
            caller = await door.caller(authorization, scope.get(CERTIFICATE))
        except StoreFailure as error:
            await _refuse(send, 503, str(error))
            return
        if isinstance(caller, Stranger):
            denied(caller.code, caller.name)
            # A good certificate of somebody else is known, and has no role; all else proved nothing.
            await _refuse(send, 401 if caller.code == "role" else 403, caller.reason)
        elif not may(caller.role, scope["method"], scope["path"]):
            denied("role", caller.name)
            await _refuse(send, 403, f"{caller.name} is a {caller.role}, and may only look")
        elif caller.by == "certificate" and scope["path"] == CERTIFYING:
            denied("role", caller.name)
            await _refuse(
                send,
                403,
                "a certificate gets nobody another one: ask on the control plane's host, or with a token",
            )
        elif scope["path"] == PLUGGING:
            denied("role", caller.name)
            await _refuse(send, 403, "the key of a CA does not travel: do it on the control plane's host")
        else:
            await app({**scope, AUTHOR: caller.name}, receive, send)

    return checked


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": wire.encode(wire.ErrorReply(error=reason))})
