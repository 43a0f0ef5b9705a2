"""One question to an app on loopback: is it well? HTTP, TCP, gRPC and exec, each with a deadline."""

import asyncio
import subprocess
from typing import Any, Final, cast

import aiohttp
import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from proa.core.sidecar.local import HealthCheck
from proa.runtime.processes import start_child

HOST: Final = "127.0.0.1"
_SERVING: Final = 1


async def is_well(check: HealthCheck, port: int) -> tuple[bool, str]:
    """(well, why not). Every failure of the app is an answer; nothing is raised for it."""
    host, port = check.host or HOST, check.app_port or port
    try:
        async with asyncio.timeout(check.timeout_ms / 1000):
            match check.kind:
                case "tcp":
                    return await _tcp(host, port)
                case "http":
                    return await _http(check, host, port)
                case "grpc":
                    return await _grpc(host, port, check.grpc_service)
                case "exec":
                    return await _exec(check.command)
    except TimeoutError:
        return False, f"{check.kind} check: no answer within {check.timeout_ms} ms"


async def _tcp(host: str, port: int) -> tuple[bool, str]:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return False, f"connect to {host}:{port}: {error.strerror or error}"
    writer.transport.abort()  # no lingering socket in TIME_WAIT for every check
    return True, ""


async def _http(check: HealthCheck, host: str, port: int) -> tuple[bool, str]:
    path = check.path if check.path.startswith("/") else "/" + check.path
    place = f"[{host}]" if ":" in host else host
    url = f"{'https' if check.is_tls else 'http'}://{place}:{port}{path}"
    headers = {"user-agent": "proa-health", **dict(check.headers)}
    try:
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(url, allow_redirects=False, headers=headers, ssl=False) as answer,
        ):
            if 200 <= answer.status < 400:
                return True, ""
            return False, f"GET {check.path} answered {answer.status}"
    except (aiohttp.ClientError, OSError) as error:
        return False, f"GET {check.path}: {error}"


async def _grpc(host: str, port: int, service: str) -> tuple[bool, str]:
    """grpc.health.v1: its request is one string in field 1, its answer one enum in field 1, which on the wire
    are exactly protobuf's own StringValue and Int32Value."""
    options = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
    async with grpc.aio.insecure_channel(f"{host}:{port}", options=options) as channel:
        call: Any = cast(Any, channel).unary_unary("/grpc.health.v1.Health/Check")
        try:
            body = await call(StringValue(value=service).SerializeToString())
        except grpc.aio.AioRpcError as error:
            return False, f"gRPC health: {error.details() or error.code().name}"
    status = Int32Value.FromString(body).value
    return (True, "") if status == _SERVING else (False, f"gRPC health: status {status}")


async def _exec(command: tuple[str, ...]) -> tuple[bool, str]:
    try:
        child = start_child(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, own_session=True)
    except OSError as error:
        return False, f"{command[0]}: {error.strerror}"
    with child:
        code = await child.wait()
    return (True, "") if code == 0 else (False, f"{command[0]} ended with {code}")
