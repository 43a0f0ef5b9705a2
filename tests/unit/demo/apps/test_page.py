from proa.demo.apps.calls import NO_ANSWER, Answer
from proa.demo.apps.page import render_page

PRODUCT = {"title": "The Comedy of Errors", "summary": "Twins."}
DETAILS = Answer(status=200, body={"author": "William Shakespeare", "podname": "details-v1", "version": "v1"})


def _reviews(*reviews: dict[str, object]) -> Answer:
    return Answer(status=200, body={"podname": "reviews-v2", "version": "v2", "reviews": list(reviews)})


def _page(reviews: Answer, details: Answer = DETAILS, user: str | None = None) -> str:
    return render_page(product=PRODUCT, details=details, reviews=reviews, user=user, pod="productpage-v1")


def test_the_page_says_who_answered() -> None:
    page = _page(_reviews())
    assert 'data-pod="reviews-v2" data-version="v2"' in page
    assert 'data-pod="details-v1"' in page
    assert "productpage-v1" in page


def test_stars_are_drawn_in_their_colour() -> None:
    page = _page(_reviews({"reviewer": "a", "text": "b", "rating": {"stars": 4, "color": "red"}}))
    assert 'data-colour="red"' in page
    assert "★★★★<i>★</i>" in page


def test_no_rating_draws_no_stars() -> None:
    assert "★" not in _page(_reviews({"reviewer": "a", "text": "b"}))


def test_a_missing_rating_says_why() -> None:
    assert "ratings rest" in _page(
        _reviews({"reviewer": "a", "text": "b", "rating": {"error": "ratings rest"}})
    )


def test_missing_parts_are_said_one_by_one() -> None:
    page = _page(NO_ANSWER, details=Answer(status=503))
    assert "Sorry, product reviews are currently unavailable for this book." in page
    assert "Sorry, product details are currently unavailable for this book." in page
    assert "no answer" in page
    assert "status 503" in page


def test_what_others_wrote_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    page = _page(_reviews({"reviewer": evil, "text": evil, "rating": {"error": evil}}), user=evil)
    assert "<script" not in page


def test_the_session_box_follows_the_user() -> None:
    assert 'action="login"' in _page(_reviews())
    assert 'href="logout"' in _page(_reviews(), user="jason")


def test_the_page_asks_nothing_of_the_outside() -> None:
    # The drawing's namespace is the one URL, and nobody fetches it.
    assert _page(_reviews()).replace("http://www.w3.org/2000/svg", "").count("://") == 0
