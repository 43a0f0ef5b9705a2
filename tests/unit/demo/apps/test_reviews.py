import asyncio

import pytest
from aiohttp import web

from proa.demo.apps.options import Options
from proa.demo.apps.reviews import RATINGS_UNAVAILABLE, build_app
from tests.unit.demo.apps.neighbours import Neighbour, fetch_json, json_neighbour, listening


def _ratings_seen(
    version: str, ratings: Neighbour, headers: dict[str, str] | None = None, ratings_timeout: float = 60
) -> list[object]:
    """The `rating` of each review, None where there is none."""

    async def run() -> list[object]:
        async with listening(ratings.app) as ratings_url:
            options = Options(
                service="reviews", version=version, ratings_url=ratings_url, ratings_timeout=ratings_timeout
            )
            async with listening(build_app(options)) as url:
                status, body = await fetch_json(f"{url}/reviews/0", headers)
        assert status == 200
        assert isinstance(body, dict)
        assert (body["podname"], body["version"]) == (f"reviews-{version}", version)
        return [review.get("rating") for review in body["reviews"]]

    return asyncio.run(run())


def _stars() -> Neighbour:
    return json_neighbour({"id": 0, "ratings": {"Reviewer1": 5, "Reviewer2": 4}})


def test_v1_shows_no_stars_and_calls_nobody() -> None:
    ratings = _stars()
    assert _ratings_seen("v1", ratings) == [None, None]
    assert ratings.headers == []


@pytest.mark.parametrize(("version", "colour"), [("v2", "black"), ("v3", "red")])
def test_stars_have_the_colour_of_the_version(version: str, colour: str) -> None:
    assert _ratings_seen(version, _stars()) == [{"stars": 5, "color": colour}, {"stars": 4, "color": colour}]


def test_the_call_carries_trace_and_user() -> None:
    ratings = _stars()
    sent = {"x-request-id": "r1", "traceparent": "00-1-2-01", "end-user": "jason", "cookie": "user=jason"}
    _ratings_seen("v2", ratings, sent)
    received = ratings.headers[0]
    assert (received["x-request-id"], received["traceparent"], received["end-user"]) == (
        "r1",
        "00-1-2-01",
        "jason",
    )
    assert "cookie" not in received


def test_a_failing_ratings_service_is_said_in_place_of_stars() -> None:
    missing = {"error": RATINGS_UNAVAILABLE}
    assert _ratings_seen("v2", json_neighbour({"error": "fault"}, status=500)) == [missing, missing]
    assert _ratings_seen("v2", json_neighbour({"ratings": "many"})) == [missing, missing]
    assert _ratings_seen("v3", json_neighbour({"ratings": {"Reviewer1": 3}})) == [
        {"stars": 3, "color": "red"},
        missing,
    ]


def test_a_slow_ratings_service_is_given_up() -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()  # until the caller's patience ends and the server cancels us
        return web.Response()

    missing = {"error": RATINGS_UNAVAILABLE}
    assert _ratings_seen("v2", Neighbour(silent), ratings_timeout=0.05) == [missing, missing]
