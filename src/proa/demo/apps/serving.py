"""The frame every bookstore program runs in: a loopback server, a client session, an orderly end on SIGTERM.

Called by each program's `main`. It must stay free of bookstore meaning and of the mesh.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import aiohttp
from aiohttp import web

from proa.demo.apps.options import Options, read_options

SESSION = web.AppKey("session", aiohttp.ClientSession)
OPTIONS = web.AppKey("options", Options)
# Long enough to finish an ordinary answer, short enough that Ctrl-C on the whole demo feels immediate.
GRACE_SECONDS = 3.0


def new_app(options: Options, *, calls_others: bool = False) -> web.Application:
    """An application whose every answer names the pod and version that gave it, with `/health`."""
    app = web.Application()
    app[OPTIONS] = options

    async def sign(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-bookinfo-pod"] = options.name
        response.headers["x-bookinfo-version"] = options.version

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": f"{options.service} is healthy"})

    app.on_response_prepare.append(sign)
    app.router.add_get("/health", health)
    if calls_others:
        app.cleanup_ctx.append(_session)
    return app


async def _session(app: web.Application) -> AsyncIterator[None]:
    # trust_env: HTTP_PROXY and NO_PROXY are all a program needs in order to be reached and observed by a
    # sidecar. No limit on connections: the sidecar keeps the limits, a second one here would hide its work.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(trust_env=True, connector=connector) as session:
        app[SESSION] = session
        yield


async def serve(app: web.Application, port: int, stop: asyncio.Event, started: Callable[[int], None]) -> None:
    """Serves on 127.0.0.1 until `stop`; then takes no new connection and gives running requests
    GRACE_SECONDS.

    `started` hears the port in force, which differs from the asked one when that was 0. The keep-alive time
    of AppRunner (longer than an hour) outlasts the hour of Envoy's idle pool, so that the client side closes
    first and no request meets a closing connection. A request whose caller has left is cancelled.
    """
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        started(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()


def main(service: str, build_app: Callable[[Options], web.Application]) -> None:
    """Runs one program until SIGTERM or SIGINT; exit code 0."""
    options = read_options(service, sys.argv[1:], os.environ)

    async def until_signal() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(build_app(options), options.port, stop, announce)

    def announce(port: int) -> None:
        print(f"{options.name} serves on 127.0.0.1:{port}", flush=True)

    asyncio.run(until_signal())
