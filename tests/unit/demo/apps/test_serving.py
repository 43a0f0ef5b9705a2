import asyncio
import os
import signal
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import web

from proa.demo.apps import productpage
from proa.demo.apps.options import Options
from proa.demo.apps.serving import SESSION, new_app, serve
from tests.unit.demo.apps.neighbours import fetch_json, listening


def test_every_answer_names_its_pod() -> None:
    async def run() -> None:
        async with (
            listening(new_app(Options(service="details", version="v2"))) as url,
            aiohttp.ClientSession() as session,
        ):
            for path, status in (("/health", 200), ("/nothing", 404)):
                async with session.get(url + path) as answer:
                    assert answer.status == status
                    assert answer.headers["x-bookinfo-pod"] == "details-v2"
                    assert answer.headers["x-bookinfo-version"] == "v2"

    asyncio.run(run())


class RecordingProxy:
    """Answers every request it is sent with `{}` and remembers request line and host, per connection."""

    def __init__(self) -> None:
        self.connections: list[list[tuple[str, str]]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen: list[tuple[str, str]] = []
        self.connections.append(seen)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                host = next(line for line in head if line.lower().startswith("host:"))
                seen.append((head[0], host.partition(":")[2].strip()))
                writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"found":1}')
        except asyncio.IncompleteReadError:
            writer.close()


def test_proxy_variables_are_obeyed_on_a_kept_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sidecar needs: absolute-form requests, the service's own Host, and connections that stay open."""
    proxy = RecordingProxy()

    async def run() -> None:
        server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        async with server, listening(productpage.build_app(Options(service="productpage"))) as url:
            for _ in range(3):
                assert (await fetch_json(f"{url}/api/v1/products/0"))[0] == 200

    asyncio.run(run())
    assert proxy.connections == [[("GET http://details:9080/details/0 HTTP/1.1", "details:9080")] * 3]


def test_no_proxy_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        async with listening(new_app(Options(service="details"))) as url:
            options = Options(service="productpage", details_url=f"{url}/health?")
            async with listening(productpage.build_app(options)) as page:
                assert (await fetch_json(f"{page}/api/v1/products/0"))[0] == 200

    asyncio.run(run())


def test_a_stop_lets_running_requests_finish() -> None:
    async def run() -> None:
        stop, arrived, release = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def slow(_request: web.Request) -> web.Response:
            arrived.set()
            await release.wait()
            return web.json_response({"done": True})

        app = new_app(Options(service="details"), calls_others=True)
        app.router.add_get("/slow", slow)
        ports: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(app, 0, stop, ports.put_nowait))
            port = await ports.get()
            request = group.create_task(fetch_json(f"http://127.0.0.1:{port}/slow"))
            await arrived.wait()
            stop.set()
            release.set()
            assert await request == (200, {"done": True})
        assert app[SESSION].closed

    asyncio.run(run())


@pytest.mark.parametrize("service", ["productpage", "details", "reviews", "ratings"])
def test_a_program_runs_until_sigterm(service: str) -> None:
    """The real thing: `python -m`, a free port, exit code 0; none of it may load the mesh's heavy libraries."""
    command = [sys.executable, "-X", "importtime", "-m", f"proa.demo.apps.{service}"]
    environ = {**os.environ, "PORT": "0"}
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith(f"{service}-v1 serves on 127.0.0.1:")
        program.send_signal(signal.SIGTERM)
        _, imports = program.communicate(timeout=60)
        assert program.returncode == 0
    loaded = {line.rpartition("|")[2].strip() for line in imports.splitlines()}
    assert "aiohttp" in loaded
    assert not loaded & {"grpc", "msgspec", "google.protobuf", "cryptography", "proa.core"}
