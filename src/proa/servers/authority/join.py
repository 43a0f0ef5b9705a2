"""Where a node that has nothing but a token gets its first certificate: HTTPS with server TLS only.

The roots are given to anybody, and to partners as a SPIFFE bundle endpoint gives them (profile https_spiffe: the server
shows the control plane's id). A joining node takes the one whose digest is in its token, or all of them when the
answer has the proof that only somebody who knows the token can make (`core.auth.roots.bundle_proof`); before that it
sends nothing secret. A token is used up by the first CSR that is signed for it.
"""

import asyncio
import time
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from proa.core.auth.roots import PROOF
from proa.core.sidecar.retry import with_retry
from proa.core.sidecar.session import JoinReply, JoinRequest, MessageError, decode, encode
from proa.ports.failures import StoreTemporary
from proa.servers.authority.attempts import Attempts
from proa.servers.grpc_edge import PeerRefused

MAX_BODY = 64 * 1024
PATIENCE_S = 10.0
"""For a request's body to arrive: anybody may connect here, and nobody may stay without joining."""
_CLOSE: Final = {"connection": "close"}


class Joining(Protocol):
    @property
    def roots_pem(self) -> str: ...

    @property
    def bundle_document(self) -> bytes:
        """A SPIFFE bundle document of the roots."""

    async def prove_roots(self, token_id: str) -> str:
        """The proof of `roots_pem` for the bearer of that token; "" when there is no such token."""

    async def join(self, request: JoinRequest) -> JoinReply:
        """Raises PeerRefused with the reason."""


def build_join_app(
    joining: Joining, *, patience_s: float = PATIENCE_S, attempts: Attempts | None = None
) -> Starlette:
    counted = attempts or Attempts(time.monotonic)

    async def root(request: Request) -> Response:
        token = request.query_params.get("token", "")
        if not token:
            return PlainTextResponse(joining.roots_pem)
        address = request.client.host if request.client else ""
        if counted.wait_s(address):
            return PlainTextResponse(joining.roots_pem)
        roots = joining.roots_pem
        try:
            proof = await joining.prove_roots(token)
        except StoreTemporary:
            proof = ""
        if not proof or joining.roots_pem != roots:
            return PlainTextResponse(joining.roots_pem)
        counted.succeeded(address)
        return PlainTextResponse(roots, headers={PROOF: proof})

    async def join(request: Request) -> Response:
        address = request.client.host if request.client else ""
        wait_s = counted.wait_s(address)
        if wait_s:
            reason = with_retry("too many attempts to join from this address", wait_s)
            return PlainTextResponse(f"{reason}\n", status_code=429, headers=_CLOSE)
        try:
            async with asyncio.timeout(patience_s):
                body = await _bounded_body(request)
        except TimeoutError:
            return PlainTextResponse("the request is too slow\n", status_code=408, headers=_CLOSE)
        if body is None:
            return PlainTextResponse("the request is too large\n", status_code=413, headers=_CLOSE)
        try:
            reply = await joining.join(decode(body, JoinRequest))
        except MessageError as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        except PeerRefused as error:
            return PlainTextResponse(f"{error}\n", status_code=403)
        except StoreTemporary as error:  # nothing was used up: the node tries again
            return PlainTextResponse(f"{error}\n", status_code=503)
        counted.succeeded(address)
        return Response(encode(reply), media_type="application/json")

    async def bundle(_request: Request) -> Response:
        return Response(joining.bundle_document, media_type="application/json", headers=_CLOSE)

    return Starlette(
        routes=[
            Route("/v1/root", root),
            Route("/v1/bundle", bundle),
            Route("/v1/join", join, methods=["POST"]),
        ]
    )


async def _bounded_body(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return body
