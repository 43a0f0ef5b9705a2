"""Takes spans by HTTP at 127.0.0.1:$PORT, Zipkin's JSON and OTLP alike: prints for each report a line of JSON, with
`path`, `headers`, and the body as `hex`. Below `/never` nobody is answered. Zipkin's status is 202; of OTLP anything
but 200 is a failure.
"""

import asyncio
import json
import os

from aiohttp import web


async def take(request: web.Request) -> web.Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await request.read()
    print(json.dumps({"path": request.path, "headers": headers, "hex": body.hex()}), flush=True)
    if request.path.startswith("/never"):
        await asyncio.Event().wait()
    return web.Response(status=202 if request.path.endswith("/spans") else 200)


def main() -> None:
    app = web.Application(client_max_size=32 << 20)
    app.router.add_post("/{path:.*}", take)
    port = int(os.environ["PORT"])
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
