"""A visitor of the bookstore: asks for pages and reviews through the gateway and tells which reviews it saw.

Used by the demo's check. It knows the programs' answers and nothing of the mesh.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import aiohttp
import msgspec

API_REVIEWS = "/api/v1/products/0/reviews"
API_RATINGS = "/api/v1/products/0/ratings"
PATIENCE_S = 20.0


class Page(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    text: str
    seconds: float


def reviews_seen(body: bytes) -> str:
    """`v1 no stars`, `v2 black`, `v3 red`: the version that answered and what it showed; "" for other
    answers.
    """
    try:
        found = json.loads(body)
        ratings = [review.get("rating", {}) for review in found["reviews"]]
        colours = {rating.get("color", "error" if rating else "no stars") for rating in ratings}
        return f"{found['version']} {' and '.join(sorted(colours))}"
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""


class Visitor:
    """Owned by one check. A new one has no session: it is signed in as nobody."""

    def __init__(self, session: aiohttp.ClientSession, page_url: str) -> None:
        self._session = session
        self.page_url = page_url

    def url(self, path: str) -> str:
        return urljoin(self.page_url, path)

    async def sign_in(self, user: str) -> Page:
        """By the page's own form, as a person would; the answer is the page after it."""
        return await self._ask("POST", self.url("/login"), data={"username": user})

    async def page(self, user: str | None = None) -> Page:
        return await self._ask("GET", self.page_url, headers={"end-user": user} if user else {})

    async def reviews(self, user: str | None = None) -> str:
        """What one request to the reviews saw; `status 500` and the like when it failed."""
        answer = await self._ask("GET", self.url(API_REVIEWS), headers={"end-user": user} if user else {})
        seen = reviews_seen(answer.text.encode())
        return seen if answer.status == 200 and seen else f"status {answer.status}"

    async def count_reviews(self, requests: int, user: str | None = None, at_once: int = 8) -> Counter[str]:
        """How often each sight was seen in so many requests, `at_once` of them at any time."""
        seen: Counter[str] = Counter()
        tickets = iter(range(requests))

        async def visit(tickets: Iterator[int]) -> None:
            for _ in tickets:
                seen[await self.reviews(user)] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, requests)):
                group.create_task(visit(tickets))
        return seen

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
    ) -> Page:
        began = time.monotonic()
        try:
            async with self._session.request(method, url, headers=headers, data=data) as answer:
                text = await answer.text()
                return Page(status=answer.status, text=text, seconds=time.monotonic() - began)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Page(status=0, text=f"{type(error).__name__}: {error}", seconds=time.monotonic() - began)


@asynccontextmanager
async def new_visitor(page_url: str) -> AsyncIterator[Visitor]:
    """Goes straight to the page: proxy variables of the user's shell are not obeyed. Cookies work on
    127.0.0.1.
    """
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=jar) as session:
        yield Visitor(session, page_url)
