import asyncio
import http.client
from collections.abc import Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Gauge

from proa.servers.asgi import bind_tcp, serving
from proa.servers.metrics.app import build_metrics_app

T = TypeVar("T")


def get(path: str, unready: Callable[[], tuple[str, ...]] = lambda: ()) -> tuple[int, str]:
    registry = CollectorRegistry()
    Gauge("proa_connected_proxies", "Proxies with an open stream.", registry=registry).set(3)

    def fetch(port: int) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    async def run() -> tuple[int, str]:
        bound = bind_tcp("127.0.0.1", 0)
        port = bound.getsockname()[1]
        pages = iter((["istio_a 1\n", "istio_b 2\n"],))
        async with serving(build_metrics_app(registry, unready, lambda: next(pages)), [bound]):
            return await asyncio.to_thread(fetch, port)

    return asyncio.run(run())


def test_ready_says_what_it_waits_for() -> None:
    assert get("/ready") == (200, "ready\n")
    assert get("/ready", lambda: ("the store", "registrations")) == (
        503,
        "waiting for the store\nwaiting for registrations\n",
    )


def test_metrics_are_those_of_the_registry() -> None:
    status, text = get("/metrics")

    assert status == 200
    assert "proa_connected_proxies 3.0" in text


def test_mixers_page_is_what_its_adapters_show() -> None:
    assert get("/mixer") == (200, "istio_a 1\nistio_b 2\n")
