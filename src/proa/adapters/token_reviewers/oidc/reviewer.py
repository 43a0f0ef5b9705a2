"""A TokenReviewer for one OpenID Connect issuer: its JWKS is fetched with a limit in time and size, cached, and the
last good one kept for a day when it cannot be fetched again. After that nobody can say whether a token is good: callers
are told to come again, as before the first fetch.

Only asymmetric algorithms are taken: a key that is published can be no secret, and `none` is no algorithm.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import aiohttp
import jwt
import msgspec
from jwt import PyJWK, PyJWKSet

from proa.ports.failures import StoreTemporary
from proa.ports.token_reviewer import MAX_TOKEN, Reviewed, TokenDenied

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
FRESH_S: Final = 300.0
"""Keys of this age are fetched again when the next token comes."""
HOLD_S: Final = 24 * 3600.0
"""How long the last good keys serve while the issuer is away: what it withdrew meanwhile is not known here."""
LEAST_S: Final = 10.0
"""Between two fetches, whatever key ids tokens name: they are chosen by strangers."""
PATIENCE_S: Final = 5.0
MAX_KEYS: Final = 256 * 1024
"""Bytes of a JWKS or of a discovery document."""
LEEWAY_S: Final = 30.0
"""Of difference between the issuer's clock and ours."""

log = logging.getLogger("proa.adapters.oidc")


class OidcIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """`audiences`: one of them must be in the token. `jwks_uri` "" is found by the issuer's discovery document."""

    issuer: str
    audiences: tuple[str, ...]
    jwks_uri: str = ""


class OidcReviewer:
    """`clock` gives unix seconds. Belongs to one event loop."""

    def __init__(self, issuer: OidcIssuer, http: aiohttp.ClientSession, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()
        self._trouble = ""

    async def review(self, token: str) -> Reviewed | TokenDenied | None:
        if len(token) > MAX_TOKEN:
            return TokenDenied(reason=f"the token is longer than {MAX_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return None
        if claims.get("iss") != self._issuer.issuer:
            return None
        algorithm, key_id = header.get("alg"), header.get("kid", "")
        if algorithm not in ALGORITHMS:
            return TokenDenied(reason=f"the token's algorithm {str(algorithm)[:20]!r} is not taken")
        key = await self._key(str(key_id))
        if key is None:
            return TokenDenied(reason=f"{self._issuer.issuer} has published no key {str(key_id)[:80]!r}")
        return self._checked(token, key)

    def _checked(self, token: str, key: PyJWK) -> Reviewed | TokenDenied:
        try:
            claims = jwt.decode(
                token,
                key=key,
                algorithms=[key.algorithm_name] if key.algorithm_name in ALGORITHMS else [],
                audience=list(self._issuer.audiences),
                issuer=self._issuer.issuer,
                options={
                    "require": ["exp", "sub", "aud", "iss"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidAudienceError:
            return TokenDenied(reason="the token is for another audience", code="jwt not for us")
        except jwt.PyJWTError as error:
            return TokenDenied(reason=f"the token is not valid: {type(error).__name__}")
        now = self._clock()
        try:
            ends, begins = float(claims["exp"]), float(claims.get("nbf", 0))
        except (TypeError, ValueError):
            return TokenDenied(reason="the token's times are no numbers")
        if now >= ends + LEEWAY_S:
            return TokenDenied(reason="the token has expired")
        if now < begins - LEEWAY_S:
            return TokenDenied(reason="the token is not valid yet")
        return Reviewed(issuer=self._issuer.issuer, subject=str(claims["sub"]), workload=_pod_of(claims))

    async def _key(self, key_id: str) -> PyJWK | None:
        """None: it is not published. Raises StoreTemporary when that is not known."""
        now = self._clock()
        if now - self._fetched >= FRESH_S or (key_id not in self._keys and now - self._tried >= LEAST_S):
            async with self._fetching:
                if self._clock() - self._tried >= LEAST_S:
                    await self._fetch()
        if self._clock() - self._fetched >= HOLD_S:
            raise StoreTemporary(
                f"the keys of {self._issuer.issuer} cannot be fetched: {self._trouble}", LEAST_S
            )
        if key_id in self._keys:
            return self._keys[key_id]
        # A token without a key id is of the only key.
        return next(iter(self._keys.values())) if not key_id and len(self._keys) == 1 else None

    async def _fetch(self) -> None:
        self._tried = self._clock()
        try:
            uri = self._issuer.jwks_uri or await self._discovered()
            found = PyJWKSet.from_json((await self._get(uri)).decode())
        except (aiohttp.ClientError, TimeoutError, ValueError, jwt.PyJWTError, OSError) as error:
            self._trouble = str(error) or type(error).__name__
            if self._keys:
                log.warning(
                    "the keys of %s are not fetched again, the last good ones serve for %.0f h: %s",
                    self._issuer.issuer,
                    HOLD_S / 3600,
                    self._trouble,
                )
            return
        self._keys = {key.key_id or "": key for key in found.keys}
        self._fetched = self._clock()

    async def _discovered(self) -> str:
        place = self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = msgspec.json.decode(await self._get(place), type=dict[str, object])
        if found.get("issuer") != self._issuer.issuer:
            raise ValueError(f"{place} is of another issuer")
        return str(found.get("jwks_uri", ""))

    async def _get(self, uri: str) -> bytes:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with self._http.get(uri, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"{uri} answers {response.status}")
            body = await response.content.read(MAX_KEYS + 1)
            while len(body) <= MAX_KEYS and (more := await response.content.read(MAX_KEYS)):
                body += more
        if len(body) > MAX_KEYS:
            raise ValueError(f"{uri} is longer than {MAX_KEYS} bytes")
        return body


def _pod_of(claims: dict[str, object]) -> str:
    """Kubernetes' own tokens say for which pod they were made."""
    told = claims.get("kubernetes.io")
    pod = told.get("pod") if isinstance(told, dict) else None
    return str(pod.get("name", "")) if isinstance(pod, dict) else ""
