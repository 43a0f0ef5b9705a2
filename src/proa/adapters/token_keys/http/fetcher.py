"""A KeyFetcher over HTTP: one GET, or two where a discovery document says where the keys are.

Redirects are not followed: the address that an operator wrote is the one that is asked. HTTPS servers must show a
certificate that the host's authorities vouch for.
"""

import asyncio
from typing import Final

import aiohttp

from proa.core.auth.key_sets import (
    MAX_BYTES,
    BadAnswer,
    discovery_uri,
    max_age_s,
    read_discovery,
    read_key_set,
)
from proa.core.model.token_keys import KeySource
from proa.ports.token_keys import FetchedKeys, KeysUnavailable

_FINE: Final = 200


class HttpKeyFetcher:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def fetch(self, source: KeySource, patience_s: float) -> FetchedKeys:
        try:
            async with asyncio.timeout(patience_s):
                uri = source.uri or await self._discovered(source.issuer)
                body, cache_control = await self._get(uri)
        except TimeoutError:
            raise KeysUnavailable(f"no answer within {patience_s:g} s") from None
        except (aiohttp.ClientError, BadAnswer, OSError, ValueError) as error:
            raise KeysUnavailable(str(error) or type(error).__name__) from error
        try:
            return FetchedKeys(keys=read_key_set(body), max_age_s=max_age_s(cache_control))
        except BadAnswer as error:
            raise KeysUnavailable(f"{uri}: {error}") from error

    async def _discovered(self, issuer: str) -> str:
        uri = discovery_uri(issuer)
        body, _ = await self._get(uri)
        try:
            return read_discovery(body, issuer)
        except BadAnswer as error:
            raise BadAnswer(f"{uri}: {error}") from error

    async def _get(self, uri: str) -> tuple[bytes, str]:
        """The body, and what it says of its age."""
        async with self._http.get(uri, allow_redirects=False) as response:
            if response.status != _FINE:
                raise BadAnswer(f"{uri} answers {response.status}")
            body = b""
            async for part in response.content.iter_chunked(65536):
                body += part
                if len(body) > MAX_BYTES:
                    raise BadAnswer(f"{uri} is longer than {MAX_BYTES} bytes")
            return body, response.headers.get("cache-control", "")
