"""Says yes or no for others, as Envoy's ext_authz asks it: over HTTP, or with the word `grpc` over gRPC.

What the request asks for in x-decision is what it gets: `deny`, `error` (an answer that is none), `hang` (none at all),
else yes. It knows nothing of a mesh but $PORT.
"""

import asyncio
import os
import sys

import grpc
from aiohttp import web
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from google.rpc.status_pb2 import Status


async def answer(request: web.Request) -> web.Response:
    match request.headers.get("x-decision", ""):
        case "deny":
            return web.Response(status=403, text="the program says no")
        case "error":
            return web.Response(status=500)
        case "hang":
            await asyncio.sleep(3600)
    return web.Response()


async def check(
    request: CheckRequest, context: grpc.aio.ServicerContext[CheckRequest, CheckResponse]
) -> CheckResponse:
    match request.attributes.request.http.headers.get("x-decision", ""):
        case "deny":
            return CheckResponse(status=Status(code=grpc.StatusCode.PERMISSION_DENIED.value[0]))
        case "error":
            await context.abort(grpc.StatusCode.INTERNAL, "no answer")
        case "hang":
            await asyncio.sleep(3600)
    return CheckResponse(status=Status(code=0))


async def serve_grpc() -> None:
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=CheckRequest.FromString,
        response_serializer=CheckResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("envoy.service.auth.v3.Authorization", {"Check": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    if sys.argv[1:] == ["grpc"]:
        asyncio.run(serve_grpc())
        return
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, access_log=None)


if __name__ == "__main__":
    main()
