"""The product page as HTML, from the answers of details and reviews. Pure; called by productpage.

Everything that came from elsewhere is escaped. The attributes `data-pod`, `data-version` and `data-colour`
are there for programs that read the page.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from proa.demo.apps.calls import Answer, JsonObject

_PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
_FACTS = (
    ("Author", "author"),
    ("Year", "year"),
    ("Type", "type"),
    ("Pages", "pages"),
    ("Publisher", "publisher"),
    ("Language", "language"),
    ("ISBN-10", "ISBN-10"),
    ("ISBN-13", "ISBN-13"),
)
_SIGN_IN = (
    '<form method="post" action="login"><label for="username">Sign in as</label>'
    '<input id="username" name="username" value="jason" maxlength="64" required autocomplete="off">'
    "<button>Sign in</button></form>"
)


def unavailable(part: str) -> str:
    return f"Sorry, product {part} are currently unavailable for this book."


def render_page(
    *, product: Mapping[str, object], details: Answer, reviews: Answer, user: str | None, pod: str
) -> str:
    return _PAGE.substitute(
        title=_text(product["title"]),
        summary=_text(product["summary"]),
        session=_signed_in(user) if user else _SIGN_IN,
        details=_details(details.body) if details.is_ok else _apology(unavailable("details")),
        details_by=_served_by(details),
        reviews=_reviews(reviews.body) if reviews.is_ok else _apology(unavailable("reviews")),
        reviews_by=_served_by(reviews),
        pod=_text(pod),
    )


def _text(value: object) -> str:
    return escape(str(value))


def _signed_in(user: str) -> str:
    initial = escape(user[0].upper())
    return (
        f'<span class="user"><span class="face" aria-hidden="true">{initial}</span>{escape(user)}</span>'
        '<a class="button" href="logout">Sign out</a>'
    )


def _apology(text: str) -> str:
    return f'<p class="apology" role="status">{escape(text)}</p>'


def _served_by(answer: Answer) -> str:
    if not answer.is_ok:
        reason = f"status {answer.status}" if answer.status else "no answer"
        return f'<span class="by missing">{reason}</span>'
    pod, version = _text(answer.body.get("podname", "?")), _text(answer.body.get("version", "?"))
    return f'<span class="by" data-pod="{pod}" data-version="{version}">served by <b>{pod}</b></span>'


def _details(body: JsonObject) -> str:
    facts = "".join(f"<dt>{label}</dt><dd>{_text(body[key])}</dd>" for label, key in _FACTS if key in body)
    return f"<dl>{facts}</dl>"


def _reviews(body: JsonObject) -> str:
    reviews = body.get("reviews")
    return "".join(_review(review) for review in reviews) if isinstance(reviews, list) else ""


def _review(review: object) -> str:
    if not isinstance(review, dict):
        return ""
    rating = review.get("rating")
    return (
        f"<blockquote>{_stars(rating) if isinstance(rating, dict) else ''}"
        f"<p>{_text(review.get('text', ''))}</p>"
        f"<footer>{_text(review.get('reviewer', 'Anonymous'))}</footer></blockquote>"
    )


def _stars(rating: JsonObject) -> str:
    stars = rating.get("stars")
    if not isinstance(stars, int) or not 0 <= stars <= 5:
        return _apology(str(rating.get("error", "no rating")))
    colour = "red" if rating.get("color") == "red" else "black"
    return (
        f'<span class="stars {colour}" data-colour="{colour}" role="img"'
        f' aria-label="{stars} of 5 {colour} stars">'
        f"{'★' * stars}<i>{'★' * (5 - stars)}</i></span>"
    )
