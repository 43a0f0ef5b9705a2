import asyncio
import json

import pytest
from aiohttp import web

from proa.demo.visitor import API_REVIEWS, new_visitor, reviews_seen
from tests.unit.demo.apps.neighbours import listening


def _reviews(version: str, *ratings: dict[str, object] | None) -> dict[str, object]:
    reviews = [
        {"reviewer": "a"} if rating is None else {"reviewer": "a", "rating": rating} for rating in ratings
    ]
    return {"version": version, "reviews": reviews}


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (_reviews("v1", None, None), "v1 no stars"),
        (_reviews("v2", {"stars": 5, "color": "black"}), "v2 black"),
        (_reviews("v3", {"stars": 5, "color": "red"}, {"error": "x"}), "v3 error and red"),
        ({"ratings": {"a": 1}, "version": "v1"}, ""),
        ([], ""),
        ({"version": "v1", "reviews": [1]}, ""),
    ],
)
def test_what_is_seen_in_an_answer(body: object, seen: str) -> None:
    assert reviews_seen(json.dumps(body).encode()) == seen


def test_html_is_not_reviews() -> None:
    assert reviews_seen(b"<html>") == ""


def test_visits_are_counted_with_their_failures_and_bounded_in_number() -> None:
    at_once, most_at_once, asked = 0, 0, 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal at_once, most_at_once, asked
        asked += 1
        at_once += 1
        most_at_once = max(most_at_once, at_once)
        number = asked
        await asyncio.sleep(0)
        at_once -= 1
        if request.headers.get("end-user") != "jason" or number % 4 == 0:
            return web.Response(status=503)
        return web.json_response(_reviews("v1", None))

    async def run() -> None:
        app = web.Application()
        app.router.add_get(API_REVIEWS, answer)
        async with listening(app) as url, new_visitor(f"{url}/productpage") as visitor:
            seen = await visitor.count_reviews(20, user="jason", at_once=3)
            assert await visitor.reviews() == "status 503"
        assert seen == {"v1 no stars": 15, "status 503": 5}
        assert most_at_once <= 3

    asyncio.run(run())


def test_nobody_there_is_an_answer_too() -> None:
    async def run() -> None:
        async with listening(web.Application()) as url:
            pass
        async with new_visitor(f"{url}/productpage") as visitor:
            page = await visitor.page()
        assert page.status == 0
        assert "Connect" in page.text

    asyncio.run(run())
