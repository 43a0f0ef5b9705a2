"""The part of a list that is fetched: again and again, each answer taken whole or not at all, the last good one used
until it is too old.

Redirects are not followed: the address that an operator wrote is the one that is asked. HTTPS servers must show a
certificate that the host's authorities vouch for.
"""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from proa.core.config.mixer.parameters import ListChecker
from proa.core.mixer.lists import BadList, Entries, read_list
from proa.runtime.backoff import Backoff

if TYPE_CHECKING:
    import aiohttp

MAX_BYTES: Final = 1 << 20
PATIENCE_S: Final = 10.0
"""For one fetch."""
FIRST_S: Final = 1.5
"""How long a handler waits for its list before it comes into force without."""
REFRESH_MS: Final = 60_000
TTL_MS: Final = 300_000
_FINE: Final = 200

log = logging.getLogger("proa.adapters.listchecker")


async def fetch_list(http: "aiohttp.ClientSession", url: str) -> str:
    """Raises BadList, or what the network says."""
    async with http.get(url, allow_redirects=False) as response:
        if response.status != _FINE:
            raise BadList(f"the server answers {response.status}")
        body = b""
        async for part in response.content.iter_chunked(65536):
            body += part
            if len(body) > MAX_BYTES:
                raise BadList(f"it is longer than {MAX_BYTES} bytes")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadList("it is no UTF-8 text") from None


class FetchedList:
    """One list. `follow` is the task that keeps it, everything else is called on the same loop. `clock`: seconds."""

    def __init__(
        self,
        owner: str,
        parameters: ListChecker,
        fetch: Callable[[], Awaitable[str]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner, self._fetch, self._clock = owner, fetch, clock
        self._entry_type = parameters.entry_type
        self._place = _place_of(parameters.provider_url)
        self._interval_s = _seconds(parameters.refresh_interval, REFRESH_MS)
        self._ttl_s = _seconds(parameters.ttl, TTL_MS)
        self._backoff = Backoff(random.random, shortest=1.0, longest=self._interval_s)
        self._tried = asyncio.Event()
        self._entries: Entries | None = None
        self._digest = b""
        self._fetched_at = 0.0
        self._failure = "it has not been fetched yet"
        self._is_told = False

    @property
    def entries(self) -> Entries | None:
        """None when there is no list, or the one that there is has not been confirmed for longer than its ttl."""
        if self._entries is not None and self._clock() - self._fetched_at > self._ttl_s:
            self._entries, self._digest = None, b""
        return self._entries

    @property
    def fault(self) -> str:
        """Why there is no list."""
        return f"there is no list from {self._place}: {self._failure}"

    async def tried(self, at_most_s: float = FIRST_S) -> None:
        """Until the first fetch came to its end, well or not, or it takes too long."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._tried.wait()
        except TimeoutError:
            pass

    async def follow(self) -> None:
        """Never returns. A failed fetch is repeated sooner than the interval says."""
        while True:
            succeeded = await self.refresh()
            self._tried.set()
            await asyncio.sleep(self._interval_s if succeeded else self._backoff.next())

    async def refresh(self) -> bool:
        """One fetch. What it fails by is kept for whoever asks, and logged once until one succeeds."""
        import aiohttp

        try:
            async with asyncio.timeout(PATIENCE_S):
                text = await self._fetch()
            await self._take(text)
        except TimeoutError:
            return self._failed(f"no answer within {PATIENCE_S:g} s")
        except (aiohttp.ClientError, BadList, OSError) as error:
            return self._failed(str(error) or type(error).__name__)
        self._fetched_at = self._clock()
        self._backoff.succeeded()
        if self._is_told:
            log.info("%s has its list again", self._owner)
            self._is_told = False
        return True

    async def _take(self, text: str) -> None:
        """In a thread: a long list takes longer to read than requests may wait for each other."""
        digest = hashlib.sha256(text.encode()).digest()
        if self.entries is None or digest != self._digest:
            self._entries = await asyncio.to_thread(read_list, self._entry_type, text)
            self._digest = digest

    def _failed(self, failure: str) -> bool:
        self._failure = failure
        if not self._is_told:
            log.warning("%s cannot fetch %s: %s", self._owner, self._place, failure)
            self._is_told = True
        return False


def _place_of(url: str) -> str:
    """Without what may be a secret: names and passwords, and the query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _seconds(span_ms: int | None, default_ms: int) -> float:
    return (default_ms if span_ms is None else span_ms) / 1000
