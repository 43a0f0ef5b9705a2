import asyncio

from proa.demo.apps.details import build_app
from proa.demo.apps.options import Options
from tests.unit.demo.apps.neighbours import fetch_json, listening


def test_details_tell_the_book_and_who_answered() -> None:
    async def run() -> None:
        async with listening(build_app(Options(service="details"))) as url:
            status, body = await fetch_json(f"{url}/details/7")
        assert status == 200
        assert isinstance(body, dict)
        assert (body["id"], body["author"]) == (7, "William Shakespeare")
        assert (body["podname"], body["version"]) == ("details-v1", "v1")

    asyncio.run(run())
