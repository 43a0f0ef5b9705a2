"""Programs of the bookstore on loopback, and a stand-in for a neighbour that answers as a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """The URL of the running program, without a final slash. It serves as `serving.serve` does: a request whose
    caller has left is cancelled."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Neighbour:
    """Remembers the headers and bodies it was sent; answers by `handler`."""

    def __init__(self, handler: Handler) -> None:
        self.headers: list[CIMultiDictProxy[str]] = []
        self.bodies: list[bytes] = []
        self._handler = handler
        self.app = web.Application()
        self.app.router.add_route("*", "/{rest:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(request.headers)
        self.bodies.append(await request.read())
        return await self._handler(request)


def json_neighbour(body: object, status: int = 200) -> Neighbour:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    return Neighbour(handler)


async def fetch_json(
    url: str, headers: dict[str, str] | None = None, post: bytes | None = None
) -> tuple[int, object]:
    method = "GET" if post is None else "POST"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, data=post) as answer,
    ):
        return answer.status, await answer.json()
