"""What stands behind the server's sidecar: nginx with a fixed answer, or where there is none our own responder."""

import asyncio
import shutil
import sys

from benchmarks.data_plane.pair import BODY, ask
from benchmarks.workshop import Workshop, free_port, until

_CONFIG = """
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type text/plain;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }}
}}
"""


async def start_upstream(shop: Workshop) -> tuple[int, str]:
    """(port, what it is)."""
    port = free_port()
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        config = shop.directory / "nginx.conf"
        config.write_text(_CONFIG.format(port=port, body=BODY.decode()))
        child = shop.start(
            "upstream", [nginx, "-e", "stderr", "-p", ".", "-c", str(config)], shop.cores.driving
        )
    else:
        child = shop.start_python(
            "upstream", "benchmarks.data_plane.upstream", str(port), cores=shop.cores.driving
        )

    async def answers() -> bool:
        if child.code is not None:
            raise RuntimeError(f"the upstream ended: {shop.log_of('upstream')}")
        return await ask(port) is not None

    await until("the upstream answers", answers, 10)
    return port, "nginx" if nginx else "python"


class _Responder(asyncio.Protocol):
    """Answers every request without a body with the same bytes."""

    _ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)

    def __init__(self) -> None:
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        if requests and self._transport:
            self._transport.write(self._ANSWER * len(requests))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Responder, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
