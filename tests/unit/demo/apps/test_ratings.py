import asyncio

import pytest

from proa.demo.apps.options import Options
from proa.demo.apps.ratings import FIRST_RATINGS, build_app, read_ratings
from tests.unit.demo.apps.neighbours import fetch_json, listening


def test_ratings_are_kept_per_book() -> None:
    async def run() -> None:
        async with listening(build_app(Options(service="ratings"))) as url:
            before = await fetch_json(f"{url}/ratings/0")
            posted = await fetch_json(f"{url}/ratings/0", post=b'{"Reviewer1": 1}')
            after = await fetch_json(f"{url}/ratings/0")
            other = await fetch_json(f"{url}/ratings/1")
        who = {"podname": "ratings-v1", "version": "v1"}
        assert before == (200, {"id": 0, "ratings": FIRST_RATINGS, **who})
        assert posted == after == (200, {"id": 0, "ratings": {"Reviewer1": 1}, **who})
        assert other == (200, {"id": 1, "ratings": FIRST_RATINGS, **who})

    asyncio.run(run())


def test_a_bad_rating_changes_nothing() -> None:
    async def run() -> None:
        async with listening(build_app(Options(service="ratings"))) as url:
            status, _ = await fetch_json(f"{url}/ratings/0", post=b'{"Reviewer1": 6}')
            _, after = await fetch_json(f"{url}/ratings/0")
        assert status == 400
        assert isinstance(after, dict)
        assert after["ratings"] == FIRST_RATINGS

    asyncio.run(run())


def test_memory_has_an_end() -> None:
    async def run() -> None:
        async with listening(build_app(Options(service="ratings"), most_books=2)) as url:
            for book, status in ((0, 200), (1, 200), (2, 507), (1, 200)):
                assert (await fetch_json(f"{url}/ratings/{book}", post=b'{"a": 1}'))[0] == status

    asyncio.run(run())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"a": 0}', b'{"a": true}', b'{"a": 4.5}', b'{"a": "5"}', b"\xff"]
)
def test_what_is_no_rating(body: bytes) -> None:
    assert read_ratings(body) is None
