"""The bookstore's ratings: stars per reviewer, kept in memory. Calls nobody."""

import json

from aiohttp import web

from proa.demo.apps.options import Options
from proa.demo.apps.serving import main, new_app

Ratings = dict[str, int]

FIRST_RATINGS: Ratings = {"Reviewer1": 5, "Reviewer2": 4}
MOST_BOOKS = 1000
MOST_REVIEWERS = 100


def read_ratings(body: bytes) -> Ratings | None:
    """`{"Reviewer1": 5}` with whole stars from 1 to 5; None for anything else."""
    try:
        given = json.loads(body)
    except ValueError:
        return None
    if not isinstance(given, dict) or not 0 < len(given) <= MOST_REVIEWERS:
        return None
    if not all(type(stars) is int and 1 <= stars <= 5 for stars in given.values()):
        return None
    return given


def build_app(options: Options, most_books: int = MOST_BOOKS) -> web.Application:
    app = new_app(options)
    stored: dict[int, Ratings] = {}

    def answer(book: int) -> web.Response:
        found = stored.get(book, FIRST_RATINGS)
        return web.json_response(
            {"id": book, "ratings": found, "podname": options.name, "version": options.version}
        )

    async def get(request: web.Request) -> web.Response:
        return answer(int(request.match_info["book"]))

    async def post(request: web.Request) -> web.Response:
        book = int(request.match_info["book"])
        given = read_ratings(await request.read())
        if given is None:
            return web.json_response({"error": 'please provide ratings as {"NAME": 1 to 5, ...}'}, status=400)
        if book not in stored and len(stored) >= most_books:
            return web.json_response({"error": "the shelf is full"}, status=507)
        stored[book] = given
        return answer(book)

    app.router.add_get(r"/ratings/{book:\d{1,9}}", get)
    app.router.add_post(r"/ratings/{book:\d{1,9}}", post)
    return app


if __name__ == "__main__":
    main("ratings", build_app)
