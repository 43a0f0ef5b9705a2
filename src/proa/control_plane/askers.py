"""Who asks for a certificate without being a node of ours: by a token that somebody vouches for, or by the certificate
that he has. Implements `Certificates` of the Istio-compatible service.

A file of the operator's says which issuers are trusted, and what their subjects are here (`core.auth.bearer`).
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from proa.adapters.token_reviewers.kubernetes import KubernetesReviewer
from proa.adapters.token_reviewers.oidc import OidcIssuer, OidcReviewer
from proa.control_plane.authority import Authority, Refused
from proa.control_plane.callers import Callers
from proa.control_plane.refusals import Refusals
from proa.core.auth.bearer import Bearer, SubjectRules, bearer_of
from proa.core.auth.spiffe import account_of
from proa.core.sidecar.retry import with_retry
from proa.ports.token_reviewer import TokenDenied, TokenReviewer
from proa.servers.authority.attempts import Attempts
from proa.servers.authority.istio import CertificateRequest
from proa.servers.grpc_edge import NotNow, PeerRefused

MAX_FILE: Final = 1 << 20


class IssuersUnusable(Exception):
    """The file of --token-issuers: what is wrong with it."""


class OidcEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One issuer of `oidc`."""

    issuer: str
    audiences: tuple[str, ...]
    jwks_uri: str = ""
    subjects: SubjectRules


class KubernetesEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One API server of `kubernetes`; files are this process's own service account."""

    server: str = "https://kubernetes.default.svc"
    audiences: tuple[str, ...]
    token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    ca_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    subjects: SubjectRules


class TokenIssuers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: whose tokens count. Those of `oidc` are tried first."""

    oidc: tuple[OidcEntry, ...] = ()
    kubernetes: tuple[KubernetesEntry, ...] = ()


Ruled = tuple[TokenReviewer, SubjectRules]


def read_issuers(path: Path) -> TokenIssuers:
    """Raises IssuersUnusable."""
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(MAX_FILE), type=TokenIssuers)
    except OSError as error:
        raise IssuersUnusable(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise IssuersUnusable(f"{path}: {error}") from None
    named = [*(each.audiences for each in found.oidc), *(each.audiences for each in found.kubernetes)]
    for audiences in named:
        if not audiences:
            raise IssuersUnusable(f"{path}: an issuer without audiences would take tokens made for anybody")
    for each in found.oidc:
        if not each.issuer.startswith("https://") or (each.jwks_uri and not _is_private(each.jwks_uri)):
            raise IssuersUnusable(f"{path}: {each.issuer}: issuer and jwks_uri are https (or loopback) URLs")
    return found


def _is_private(uri: str) -> bool:
    return uri.startswith(("https://", "http://127.0.0.1:", "http://localhost:"))


@contextlib.asynccontextmanager
async def opened_reviewers(
    issuers: TokenIssuers | None, clock: Callable[[], float] = time.time
) -> AsyncIterator[tuple[Ruled, ...]]:
    """Their connections are closed at the end."""
    if issuers is None:
        yield ()
        return
    async with aiohttp.ClientSession(trust_env=False) as http:
        found: list[Ruled] = []
        for oidc in issuers.oidc:
            issuer = OidcIssuer(issuer=oidc.issuer, audiences=oidc.audiences, jwks_uri=oidc.jwks_uri)
            found.append((OidcReviewer(issuer, http, clock), oidc.subjects))
        for each in issuers.kubernetes:
            reviewer = KubernetesReviewer(
                http,
                server=each.server,
                audiences=each.audiences,
                own_token=Path(each.token_file),
                ca=Path(each.ca_file),
            )
            found.append((reviewer, each.subjects))
        yield tuple(found)


class Askers:
    """Implements `Certificates`. Every refusal is counted and, by the authority, in the audit."""

    def __init__(
        self,
        authority: Authority,
        reviewers: tuple[Ruled, ...],
        callers: Callers,
        attempts: Attempts,
        refusals: Refusals,
    ) -> None:
        self._authority = authority
        self._reviewers = reviewers
        self._callers = callers
        self._attempts = attempts
        self._refusals = refusals

    async def create(self, request: CertificateRequest) -> tuple[str, ...]:
        wait_s = self._attempts.wait_s(request.address)
        if wait_s:
            raise NotNow(with_retry("too many requests for certificates from this address", wait_s))
        bearer, asked_by = await self._proven(request)
        self._attempts.succeeded(request.address)
        wait_s = self._callers.may_sign(asked_by, 0)
        if wait_s:
            self._refusals.count("signatures of asker", asked_by)
            raise NotNow(with_retry(f"{asked_by} asks for too many certificates", wait_s))
        issued = await self._authority.issue_bearer(
            csr_pem=request.csr_pem, bearer=bearer, asked_by=asked_by, ttl_s=request.ttl_s
        )
        if isinstance(issued, Refused):
            raise PeerRefused(issued.reason)
        return (*_split(issued.chain_pem), *_split(self._authority.roots_pem))

    async def _proven(self, request: CertificateRequest) -> tuple[Bearer, str]:
        """Who asks: by his token, or else by the certificate he has."""
        if request.token:
            return await self._by_token(request.token)
        if request.peer is None:
            await self._authority.refuse(
                "a certificate", request.address, "no token and no certificate", "no certificate"
            )
            raise PeerRefused("a bearer token or a client certificate is needed")
        identity = request.peer.identity
        if identity.trust_domain != self._authority.trust_domain or account_of(identity) is None:
            reason = f"{identity} is no workload of {self._authority.trust_domain}"
            await self._authority.refuse(str(identity), str(identity), reason, "wrong identity")
            raise PeerRefused(reason)
        return Bearer(identity=identity, names=request.peer.names), str(identity)

    async def _by_token(self, token: str) -> tuple[Bearer, str]:
        for reviewer, rules in self._reviewers:
            found = await reviewer.review(token)
            if found is None:
                continue
            if isinstance(found, TokenDenied):
                await self._authority.refuse("a certificate", "a token", found.reason, found.code)
                raise PeerRefused(found.reason)
            who = f"{found.issuer}#{found.subject}"[:500]
            bearer = bearer_of(rules, found.subject, found.workload, self._authority.trust_domain)
            if bearer is None:
                reason = f"{found.subject[:200]} of {found.issuer} has no identity in this mesh"
                await self._authority.refuse("a certificate", who, reason, "no identity")
                raise PeerRefused(reason)
            return bearer, who
        reason = "no issuer that is trusted here knows the token"
        await self._authority.refuse("a certificate", "a token", reason, "jwt invalid")
        raise PeerRefused(reason)


def _split(pem: str) -> tuple[str, ...]:
    end = "-----END CERTIFICATE-----\n"
    return tuple(part + end for part in pem.split(end) if part.strip())
