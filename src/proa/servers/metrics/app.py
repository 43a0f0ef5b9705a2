"""The two questions a monitoring system asks. Called by the composition root, served by `servers.asgi`.

Nothing secret and nothing that changes state may ever be served here.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def build_metrics_app(registry: CollectorRegistry, unready: Callable[[], tuple[str, ...]]) -> Starlette:
    """`unready` gives the reasons why the control plane should get no work yet; empty when it should."""

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

    return Starlette(routes=[Route("/ready", ready), Route("/metrics", metrics)])
