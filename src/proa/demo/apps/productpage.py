"""The bookstore's front: a page and a small JSON API, both made of what details, reviews and ratings answer.

The page always answers 200 and says which part is missing; the API answers with the status of the part asked
for.
"""

import asyncio
import re
from urllib.parse import quote, unquote

from aiohttp import web
from multidict import CIMultiDict

from proa.demo.apps.calls import NO_ANSWER, Answer, call
from proa.demo.apps.options import Options
from proa.demo.apps.page import render_page, unavailable
from proa.demo.apps.propagation import passed_on
from proa.demo.apps.serving import OPTIONS, SESSION, main, new_app

PRODUCT = {
    "id": 0,
    "title": "The Comedy of Errors",
    "summary": (
        "Two brothers lost at sea as infants, two servants lost with them, and one day on which all four walk"
        " the same streets without knowing it. Shakespeare's shortest play is his most cheerful confusion."
    ),
}
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'"
# One more try after a failure or timeout: two times three seconds are the "about six" of Istio's task page.
REVIEWS_ATTEMPTS = 2
USER_COOKIE = "user"
# A name becomes a header value of later calls, so it holds nothing that could end one.
USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")


def build_app(options: Options) -> web.Application:
    app = new_app(options, calls_others=True)
    app.router.add_get("/", _go_to_page)
    app.router.add_get("/productpage", _page)
    app.router.add_post("/login", _login)
    app.router.add_get("/logout", _logout)
    app.router.add_get("/api/v1/products", _products)
    app.router.add_get(r"/api/v1/products/{book:\d{1,9}}", _details)
    app.router.add_get(r"/api/v1/products/{book:\d{1,9}}/reviews", _reviews)
    app.router.add_get(r"/api/v1/products/{book:\d{1,9}}/ratings", _ratings)
    app.router.add_post(r"/api/v1/products/{book:\d{1,9}}/ratings", _rate)
    return app


def signed_in_user(request: web.Request) -> str | None:
    """The name in the session cookie; None without one, or when the cookie holds what no login could have
    set.
    """
    name = unquote(request.cookies.get(USER_COOKIE, ""))
    return name if USER_NAME.fullmatch(name) else None


def _outgoing(request: web.Request) -> CIMultiDict[str]:
    user = signed_in_user(request)
    return passed_on(request.headers, {"end-user": user} if user else None)


async def fetch_details(request: web.Request, book: str) -> Answer:
    options = request.app[OPTIONS]
    url = f"{options.details_url}/details/{book}"
    return await call(request.app[SESSION], url, _outgoing(request), options.details_timeout)


async def fetch_reviews(request: web.Request, book: str) -> Answer:
    options = request.app[OPTIONS]
    url = f"{options.reviews_url}/reviews/{book}"
    answer = NO_ANSWER
    for _ in range(REVIEWS_ATTEMPTS):
        answer = await call(request.app[SESSION], url, _outgoing(request), options.reviews_timeout)
        if answer.is_ok:
            break
    return answer


async def _page(request: web.Request) -> web.Response:
    book = str(PRODUCT["id"])
    async with asyncio.TaskGroup() as both:
        details = both.create_task(fetch_details(request, book))
        reviews = both.create_task(fetch_reviews(request, book))
    html = render_page(
        product=PRODUCT,
        details=details.result(),
        reviews=reviews.result(),
        user=signed_in_user(request),
        pod=request.app[OPTIONS].name,
    )
    # The page changes with every click on "reload", which is the point of the demo.
    headers = {"cache-control": "no-store", "content-security-policy": PAGE_POLICY}
    return web.Response(text=html, content_type="text/html", headers=headers)


async def _go_to_page(_request: web.Request) -> web.Response:
    return _see_page()


async def _login(request: web.Request) -> web.Response:
    given = (await request.post()).get("username", "")
    name = given.strip() if isinstance(given, str) else ""
    if not USER_NAME.fullmatch(name):
        text = "Please sign in with 1 to 64 letters, digits, spaces or ._@+- (no password is asked).\n"
        return web.Response(status=400, text=text)
    answer = _see_page()
    answer.set_cookie(USER_COOKIE, quote(name), httponly=True, samesite="Lax")
    return answer


async def _logout(_request: web.Request) -> web.Response:
    answer = _see_page()
    answer.del_cookie(USER_COOKIE)
    return answer


def _see_page() -> web.Response:
    return web.Response(status=303, headers={"location": "/productpage"})


async def _products(_request: web.Request) -> web.Response:
    return web.json_response([PRODUCT])


async def _details(request: web.Request) -> web.Response:
    return _forward(await fetch_details(request, request.match_info["book"]), "details")


async def _reviews(request: web.Request) -> web.Response:
    return _forward(await fetch_reviews(request, request.match_info["book"]), "reviews")


async def _ratings(request: web.Request) -> web.Response:
    return _forward(await _call_ratings(request, None), "ratings")


async def _rate(request: web.Request) -> web.Response:
    return _forward(await _call_ratings(request, await request.read()), "ratings")


async def _call_ratings(request: web.Request, post: bytes | None) -> Answer:
    options = request.app[OPTIONS]
    url = f"{options.ratings_url}/ratings/{request.match_info['book']}"
    return await call(request.app[SESSION], url, _outgoing(request), options.ratings_timeout, post=post)


def _forward(answer: Answer, part: str) -> web.Response:
    """The part's own answer, or its status with an apology; 500 where there was no answer at all."""
    if answer.is_ok:
        return web.json_response(answer.body)
    status = answer.status if answer.status >= 400 else 500
    return web.json_response({"error": unavailable(part)}, status=status)


if __name__ == "__main__":
    main("productpage", build_app)
