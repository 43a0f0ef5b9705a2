import asyncio

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from proa.demo.apps.calls import Answer, call
from tests.unit.demo.apps.neighbours import Neighbour, json_neighbour, listening


def _called(neighbour: Neighbour, timeout: float = 60, post: bytes | None = None) -> Answer:
    async def run() -> Answer:
        async with listening(neighbour.app) as url, aiohttp.ClientSession() as session:
            return await call(session, f"{url}/x", CIMultiDict({"b3": "0"}), timeout, post=post)

    return asyncio.run(run())


def test_a_json_object_is_an_answer() -> None:
    neighbour = json_neighbour({"a": 1})
    answer = _called(neighbour)
    assert answer.is_ok
    assert answer.body == {"a": 1}
    assert neighbour.headers[0]["b3"] == "0"


def test_a_post_carries_json() -> None:
    neighbour = json_neighbour({"a": 1})
    _called(neighbour, post=b'{"b": 2}')
    assert neighbour.bodies == [b'{"b": 2}']
    assert neighbour.headers[0]["content-type"] == "application/json"


def test_an_error_keeps_its_status() -> None:
    answer = _called(json_neighbour({"error": "no"}, status=503))
    assert (answer.is_ok, answer.status) == (False, 503)


def test_a_body_that_is_no_json_object_is_not_ok() -> None:
    async def nonsense(_request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    assert not _called(Neighbour(nonsense)).is_ok
    assert not _called(json_neighbour([1])).is_ok


def test_silence_is_no_answer() -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    assert _called(Neighbour(silent), timeout=0.05) == Answer(status=0)


def test_a_closed_port_is_no_answer() -> None:
    async def run() -> Answer:
        async with listening(web.Application()) as url:
            pass
        async with aiohttp.ClientSession() as session:
            return await call(session, url, CIMultiDict(), 60)

    assert asyncio.run(run()).status == 0
