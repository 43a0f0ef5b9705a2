"""A TokenReviewer that asks a Kubernetes API server (`authentication.k8s.io/v1` TokenReview).

Unlike a check of the signature alone this also refuses tokens of pods and accounts that were deleted.
"""

import ssl
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from proa.ports.failures import StoreTemporary
from proa.ports.token_reviewer import MAX_TOKEN, Reviewed, TokenDenied

PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
PATIENCE_S: Final = 5.0
MAX_ANSWER: Final = 256 * 1024
POD: Final = "authentication.kubernetes.io/pod-name"


class _User(msgspec.Struct, kw_only=True):
    username: str = ""
    extra: dict[str, tuple[str, ...]] = {}


class _Status(msgspec.Struct, kw_only=True):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: tuple[str, ...] = ()
    error: str = ""


class _Review(msgspec.Struct, kw_only=True):
    status: _Status = msgspec.field(default_factory=_Status)


class KubernetesReviewer:
    """`own_token` is the file of the token with which this process speaks to the API server; it is read each time,
    because kubelets replace it. `ca` is the file of the roots that the server is checked against."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        server: str,
        audiences: tuple[str, ...],
        own_token: Path,
        ca: Path,
    ) -> None:
        self._http = http
        self._server = server.rstrip("/")
        self._audiences = audiences
        self._own_token = own_token
        self._tls = ssl.create_default_context(cafile=str(ca))

    async def review(self, token: str) -> Reviewed | TokenDenied | None:
        if len(token) > MAX_TOKEN:
            return TokenDenied(reason=f"the token is longer than {MAX_TOKEN} characters")
        status = (await self._asked(token)).status
        if not status.authenticated:
            return TokenDenied(
                reason=f"Kubernetes refuses the token: {status.error[:200] or 'not authenticated'}"
            )
        if not set(status.audiences) & set(self._audiences):
            # An API server that knows no audiences vouches for itself alone, and says none.
            return TokenDenied(reason="the token is for another audience", code="jwt not for us")
        return Reviewed(
            issuer=self._server,
            subject=status.user.username,
            workload=next(iter(status.user.extra.get(POD, ())), ""),
        )

    async def _asked(self, token: str) -> _Review:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": self._audiences},
        }
        try:
            own = self._own_token.read_text().strip()
            async with self._http.post(
                self._server + PATH,
                data=msgspec.json.encode(body),
                headers={"authorization": f"Bearer {own}", "content-type": "application/json"},
                ssl=self._tls,
                timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
                allow_redirects=False,
            ) as response:
                if response.status not in (200, 201):
                    raise ValueError(f"it answers {response.status}")
                return msgspec.json.decode(await response.content.read(MAX_ANSWER), type=_Review)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError, msgspec.DecodeError) as error:
            raise StoreTemporary(
                f"the Kubernetes API server at {self._server} reviews no token: {error}"
            ) from None
