"""Answers every request with what it got, as JSON. It knows nothing of a mesh but $PORT.

`GET /health` answers 200, after `POST /health?status=503` that status. `/slow?s=0.5` takes its time. `/ws` sends
websocket messages back. `/reply?status=503&name=x-a&value=b` answers so. Prints a line `seen METHOD PATH` per
request, so that tests can prove that none came.
"""

import argparse
import asyncio
import os

from aiohttp import WSMsgType, web


class Echo:
    def __init__(self, name: str) -> None:
        self._name = name
        self._health = 200

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/health":
            print("seen", request.method, request.path, flush=True)
        if request.path == "/ws":
            return await self._websocket(request)
        if request.path == "/slow":
            await asyncio.sleep(float(request.query.get("s", "1")))
        if request.path == "/health":
            if request.method == "POST":
                self._health = int(request.query["status"])
            return web.Response(status=self._health, text=str(self._health))
        if request.path == "/reply":
            named = {request.query["name"]: request.query["value"]}
            return web.Response(status=int(request.query["status"]), headers=named, text="as told")
        body = await request.text()
        return web.json_response(
            {
                "name": self._name,
                "method": request.method,
                "path": request.path_qs,
                "raw_path": request.raw_path,
                "version": f"{request.version.major}.{request.version.minor}",
                "headers": {key.lower(): value for key, value in request.headers.items()},
                "body": body,
            }
        )

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(f"{self._name}: {message.data}")
        return socket


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--name", default=os.environ.get("PROA_WORKLOAD", ""))
    chosen = options.parse_args()
    app = web.Application(client_max_size=32 << 20)
    app.router.add_route("*", "/{path:.*}", Echo(chosen.name).answer)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, access_log=None)


if __name__ == "__main__":
    main()
