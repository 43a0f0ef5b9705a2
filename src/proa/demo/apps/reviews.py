"""The bookstore's reviews: v1 shows no stars and calls nobody, v2 shows black ones and v3 red ones from
ratings.
"""

from aiohttp import web

from proa.demo.apps.calls import call
from proa.demo.apps.options import Options
from proa.demo.apps.propagation import passed_on
from proa.demo.apps.serving import SESSION, main, new_app

STAR_COLOURS = {"v1": None, "v2": "black", "v3": "red"}
RATINGS_UNAVAILABLE = "Ratings service is currently unavailable"
REVIEWS = (
    ("Reviewer1", "Two pairs of twins, one bewildered town and not a dull scene. I laughed throughout."),
    ("Reviewer2", "Great fun for an evening, though it lacks the depth of the later plays."),
)


def build_app(options: Options) -> web.Application:
    colour = STAR_COLOURS.get(options.version)
    app = new_app(options, calls_others=colour is not None)

    async def reviews(request: web.Request) -> web.Response:
        book = request.match_info["book"]
        shown: list[dict[str, object]] = [{"reviewer": name, "text": text} for name, text in REVIEWS]
        if colour is not None:
            ratings = await _fetch_ratings(request, options, book)
            for review in shown:
                stars = ratings.get(str(review["reviewer"]))
                no_rating = {"error": RATINGS_UNAVAILABLE}
                review["rating"] = no_rating if stars is None else {"stars": stars, "color": colour}
        body = {"id": book, "podname": options.name, "version": options.version, "reviews": shown}
        return web.json_response(body)

    app.router.add_get(r"/reviews/{book:\d{1,9}}", reviews)
    return app


async def _fetch_ratings(request: web.Request, options: Options, book: str) -> dict[str, int]:
    """Stars by reviewer; empty when the ratings service failed, answered nonsense or took too long."""
    url = f"{options.ratings_url}/ratings/{book}"
    answer = await call(request.app[SESSION], url, passed_on(request.headers), options.ratings_timeout)
    ratings = answer.body.get("ratings") if answer.is_ok else None
    return ratings if isinstance(ratings, dict) else {}


if __name__ == "__main__":
    main("reviews", build_app)
