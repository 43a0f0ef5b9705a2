"""The questions a monitoring system asks: is it ready, what of itself does it count, what does Mixer count.
Called by the composition root, served by `servers.asgi`.

Nothing secret and nothing that changes state may ever be served here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def build_metrics_app(
    registry: CollectorRegistry,
    unready: Callable[[], tuple[str, ...]],
    exposition: Callable[[], Iterable[str]] = tuple,
) -> Starlette:
    """`unready` gives the reasons why the control plane should get no work yet; empty when it should. `exposition`
    gives pieces of the page of Mixer's adapters; between two of them others have their turn."""

    async def ready(_request: Request) -> Response:
        reasons = unready()
        if reasons:
            return PlainTextResponse(
                "".join(f"waiting for {reason}\n" for reason in reasons), status_code=503
            )
        return PlainTextResponse("ready\n")

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def pieces() -> AsyncIterator[str]:
        for piece in exposition():
            yield piece
            await asyncio.sleep(0)

    async def mixer(_request: Request) -> Response:
        return StreamingResponse(pieces(), headers={"content-type": _TEXT})

    return Starlette(
        routes=[Route("/ready", ready), Route("/metrics", metrics), Route("/mixer", mixer)],
    )
