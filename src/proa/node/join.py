"""A node's first contact: from a join token to the node's own certificate.

Two steps, in this order. The roots are fetched over a connection that proves nothing. They are believed when they come
with the proof that only somebody who knows the token's secret can make; else the one with the token's digest is. Only
then, over a connection verified against what is believed, the token is shown. Whoever answers first without being the
control plane learns nothing and can offer nothing.
"""

import asyncio
import ssl
from typing import Final

import aiohttp
import msgspec
from cryptography import x509

from proa.core.auth.roots import PROOF, is_proven, root_digests, root_with_digest
from proa.core.auth.spiffe import node_id
from proa.core.auth.template import CONTROL_PLANE_DNS
from proa.core.auth.tokens import InvalidToken, JoinToken, decode_token, hash_secret
from proa.core.sidecar.session import JoinReply, JoinRequest, MessageError, decode, encode
from proa.node.credentials import BadCredential, Credential, NewKey, identity_of

ANSWER_MAX: Final = 256 * 1024
TIMEOUT: Final = aiohttp.ClientTimeout(total=20, connect=5)


class JoinRefused(Exception):
    """The control plane said no, or is not the token's: trying again will not help."""


class JoinUnreachable(Exception):
    """Nobody answers, or not in this protocol: it may work later."""


async def join(token_text: str) -> Credential:
    """The node's credential. Uses the token up. Raises JoinRefused, JoinUnreachable."""
    try:
        token = decode_token(token_text)
    except InvalidToken as error:
        raise JoinRefused(str(error)) from None
    away: JoinUnreachable | None = None
    for address in (token.join, *token.more_joins):
        try:
            return await _join_at(msgspec.structs.replace(token, join=address), token_text.strip())
        except JoinUnreachable as error:
            away = away or error
    assert away is not None, "there is one address at least"
    raise away


async def _join_at(token: JoinToken, token_text: str) -> Credential:
    try:
        return await _join(token, token_text)
    except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
        raise JoinUnreachable(f"control plane at {token.join}: {error or type(error).__name__}") from None


async def _join(token: JoinToken, token_text: str) -> Credential:
    async with aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False) as session:
        roots = await _fetch_roots(session, token)
        try:
            trust_domain = (
                token.trust_domain or identity_of(x509.load_pem_x509_certificate(roots.encode())).trust_domain
            )
        except BadCredential as error:
            raise JoinRefused(f"control plane at {token.join}: its root: {error}") from None
        key = await asyncio.to_thread(NewKey, node_id(trust_domain, token.node))
        request = JoinRequest(token=token_text, csr_pem=key.csr_pem)
        async with session.post(
            f"https://{token.join}/v1/join",
            data=encode(request),
            headers={"content-type": "application/json"},
            ssl=ssl.create_default_context(cadata=roots),
            server_hostname=CONTROL_PLANE_DNS[0],
            allow_redirects=False,
        ) as answer:
            body = await _body(answer)
            if answer.status in (400, 401, 403, 409, 422):
                raise JoinRefused(f"control plane at {token.join}: {_reason(body)}")
            if answer.status != 200:
                raise JoinUnreachable(
                    f"control plane at {token.join} answered {answer.status}: {_reason(body)}"
                )
    try:
        reply = decode(body, JoinReply)
        servers = reply.servers or token.servers
        return key.credential(
            reply.chain_pem, dict(reply.bundles), node=reply.node, servers=servers, token=token.id
        )
    except (MessageError, BadCredential) as error:
        raise JoinRefused(f"control plane at {token.join}: {error}") from None


async def _fetch_roots(session: aiohttp.ClientSession, token: JoinToken) -> str:
    async with session.get(
        f"https://{token.join}/v1/root",
        params={"token": token.id},
        ssl=_unverified(),
        allow_redirects=False,
    ) as answer:
        roots = (await _body(answer)).decode(errors="replace")
        proof = answer.headers.get(PROOF, "")
        if answer.status != 200:
            raise JoinUnreachable(f"control plane at {token.join} answered {answer.status} for its root")
    if is_proven(proof, hash_secret(token.secret), roots) and root_digests(roots):
        return roots
    root = root_with_digest(roots, token.root_sha256)
    if root is None:
        raise JoinRefused(
            f"the server at {token.join} is not the control plane of the join token: its root is another one"
        )
    return root


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(16384):
        body += chunk
        if len(body) > ANSWER_MAX:
            raise JoinUnreachable("the answer is longer than any of this protocol")
    return bytes(body)


def _reason(body: bytes) -> str:
    return body[:500].decode(errors="replace").strip() or "no reason given"
