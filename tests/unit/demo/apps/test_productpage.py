import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from proa.demo.apps import details, productpage, ratings, reviews
from proa.demo.apps.options import Options
from tests.unit.demo.apps.neighbours import Neighbour, fetch_json, json_neighbour, listening

SORRY = "Sorry, product reviews are currently unavailable for this book."


@asynccontextmanager
async def _bookstore(version: str = "v2") -> AsyncIterator[str]:
    """All four programs; yields productpage's URL."""
    async with (
        listening(details.build_app(Options(service="details"))) as details_url,
        listening(ratings.build_app(Options(service="ratings"))) as ratings_url,
        listening(
            reviews.build_app(Options(service="reviews", version=version, ratings_url=ratings_url))
        ) as reviews_url,
        _productpage(details_url=details_url, reviews_url=reviews_url, ratings_url=ratings_url) as url,
    ):
        yield url


@asynccontextmanager
async def _productpage(
    *, details_url: str, reviews_url: str, ratings_url: str, reviews_timeout: float = 60
) -> AsyncIterator[str]:
    options = Options(
        service="productpage",
        details_url=details_url,
        reviews_url=reviews_url,
        ratings_url=ratings_url,
        reviews_timeout=reviews_timeout,
    )
    async with listening(productpage.build_app(options)) as url:
        yield url


async def _get(url: str, cookies: dict[str, str] | None = None) -> tuple[int, str]:
    async with aiohttp.ClientSession(cookies=cookies) as session, session.get(url) as answer:
        return answer.status, await answer.text()


def test_the_page_is_made_of_all_services() -> None:
    async def run() -> None:
        async with _bookstore() as url:
            status, page = await _get(f"{url}/productpage")
        assert status == 200
        for part in ("The Comedy of Errors", "William Shakespeare", "reviews-v2", 'data-colour="black"'):
            assert part in page

    asyncio.run(run())


def test_the_api_passes_each_part_on() -> None:
    async def run() -> None:
        async with _bookstore() as url:
            products = await fetch_json(f"{url}/api/v1/products")
            facts = await fetch_json(f"{url}/api/v1/products/0")
            opinions = await fetch_json(f"{url}/api/v1/products/0/reviews")
            posted = await fetch_json(f"{url}/api/v1/products/0/ratings", post=b'{"Reviewer1": 2}')
            stars = await fetch_json(f"{url}/api/v1/products/0/ratings")
            health = await fetch_json(f"{url}/health")
        assert products == (200, [productpage.PRODUCT])
        assert facts[0] == opinions[0] == posted[0] == health[0] == 200
        assert isinstance(facts[1], dict)
        assert facts[1]["podname"] == "details-v1"
        assert isinstance(opinions[1], dict)
        assert opinions[1]["podname"] == "reviews-v2"
        assert posted == stars
        assert isinstance(stars[1], dict)
        assert stars[1]["ratings"] == {"Reviewer1": 2}

    asyncio.run(run())


def test_a_refused_rating_keeps_its_status() -> None:
    async def run() -> None:
        async with _bookstore() as url:
            assert (await fetch_json(f"{url}/api/v1/products/0/ratings", post=b"{}"))[0] == 400

    asyncio.run(run())


def _unavailable(neighbour: Neighbour, reviews_timeout: float = 60) -> tuple[str, tuple[int, object]]:
    """The page and the API's answer while reviews behave like `neighbour`."""

    async def run() -> tuple[str, tuple[int, object]]:
        async with (
            listening(neighbour.app) as there,
            _productpage(
                details_url=there, reviews_url=there, ratings_url=there, reviews_timeout=reviews_timeout
            ) as url,
        ):
            status, page = await _get(f"{url}/productpage")
            answer = await fetch_json(f"{url}/api/v1/products/0/reviews")
        assert status == 200
        return page, answer

    return asyncio.run(run())


def test_failing_reviews_are_tried_twice_and_then_missed_politely() -> None:
    neighbour = json_neighbour({"error": "x"}, status=503)
    page, answer = _unavailable(neighbour)
    assert SORRY in page
    assert answer == (503, {"error": SORRY})
    assert len(neighbour.headers) == 1 + 2 + 2  # details once; reviews twice for the page, twice for the API


def test_silent_reviews_are_given_up_after_two_timeouts() -> None:
    async def silent(request: web.Request) -> web.Response:
        if "reviews" in request.path:
            await asyncio.Event().wait()
        return web.json_response({})

    neighbour = Neighbour(silent)
    page, answer = _unavailable(neighbour, reviews_timeout=0.05)
    assert SORRY in page
    assert answer == (500, {"error": SORRY})
    assert len(neighbour.headers) <= 1 + 2 + 2  # a busy machine may give up before it has even connected


def _user_seen_by_details(cookies: dict[str, str], headers: dict[str, str]) -> str | None:
    neighbour = json_neighbour({"a": 1})

    async def run() -> None:
        async with (
            listening(neighbour.app) as there,
            _productpage(details_url=there, reviews_url=there, ratings_url=there) as url,
            aiohttp.ClientSession(cookies=cookies) as session,
            session.get(f"{url}/api/v1/products/0", headers=headers) as answer,
        ):
            assert answer.status == 200

    asyncio.run(run())
    return neighbour.headers[0].get("end-user")


def test_the_user_comes_from_the_session_or_else_from_the_header() -> None:
    assert _user_seen_by_details({}, {}) is None
    assert _user_seen_by_details({}, {"end-user": "ann"}) == "ann"
    assert _user_seen_by_details({"user": "jason"}, {}) == "jason"
    assert _user_seen_by_details({"user": "jason"}, {"end-user": "ann"}) == "jason"


def test_a_cookie_nobody_set_is_ignored() -> None:
    assert _user_seen_by_details({"user": "a%0d%0aevil: 1"}, {}) is None


def test_signing_in_and_out() -> None:
    async def run() -> None:
        async with (
            _bookstore() as url,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        ):
            async with session.post(f"{url}/login", data={"username": " jason ", "passwd": "x"}) as answer:
                assert answer.url.path == "/productpage"
                assert "Sign out" in await answer.text()
            async with session.get(f"{url}/logout") as answer:
                assert answer.url.path == "/productpage"
                assert "Sign in as" in await answer.text()
            async with session.post(f"{url}/login", data={"username": "a\nb"}) as answer:
                assert answer.status == 400

    asyncio.run(run())
