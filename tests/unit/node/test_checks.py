"""Health checks against real servers on loopback."""

import asyncio
import functools
import socket
import sys
from typing import Any

import grpc
import pytest
from aiohttp import web
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from proa.core.sidecar.local import HealthCheck
from proa.node.checks import is_well

# What is well answers, however busy the machine is.
patient = functools.partial(HealthCheck, timeout_ms=60_000)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert asyncio.run(is_well(patient(), listener.getsockname()[1])) == (True, "")
    well, reason = asyncio.run(is_well(patient(), closed_port()))
    assert not well
    assert "connect" in reason


def test_http() -> None:
    async def scenario() -> None:
        async def fine(request: web.Request) -> web.Response:
            return web.Response()

        app = web.Application()
        app.add_routes([web.get("/fine", fine)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        assert await is_well(patient(kind="http", path="/fine"), port) == (True, "")
        assert await is_well(patient(kind="http", path="missing"), port) == (
            False,
            "GET missing answered 404",
        )
        await runner.cleanup()
        well, _ = await is_well(patient(kind="http"), closed_port())
        assert not well

    asyncio.run(scenario())


@pytest.mark.parametrize(("service", "status", "well"), [("", 1, True), ("shop", 1, True), ("", 2, False)])
def test_grpc(service: str, status: int, well: bool) -> None:
    async def check(body: bytes, context: Any) -> bytes:
        assert StringValue.FromString(body).value == service
        return Int32Value(value=status).SerializeToString()

    async def scenario() -> bool:
        server = grpc.aio.server()
        handler = grpc.unary_unary_rpc_method_handler(check)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            return (await is_well(patient(kind="grpc", grpc_service=service), port))[0]
        finally:
            await server.stop(0)

    assert asyncio.run(scenario()) is well


def test_exec() -> None:
    def check(program: str, timeout_ms: int = 60_000) -> tuple[bool, str]:
        command = (sys.executable, "-c", program)
        return asyncio.run(is_well(HealthCheck(kind="exec", command=command, timeout_ms=timeout_ms), 0))

    assert check("") == (True, "")
    assert check("raise SystemExit(2)") == (False, f"{sys.executable} ended with 2")
    assert check("import time; time.sleep(600)", timeout_ms=200) == (
        False,
        "exec check: no answer within 200 ms",
    )
    missing = patient(kind="exec", command=("/no/such/program",))
    assert not asyncio.run(is_well(missing, 0))[0]
