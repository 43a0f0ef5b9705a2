"""Port 15090: the statistics of all Envoys of this host on one page, each series labelled with its workload.

A scraper needs one address per host and no rights on any admin socket. Serves /metrics and /ready.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from proa.core.model.names import WorkloadId
from proa.node.envoy_admin import AdminUnavailable, EnvoyAdmin
from proa.node.workloads import Workloads
from proa.servers.asgi import to_authority

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsUnavailable(Exception):
    """The address cannot be listened on."""


@asynccontextmanager
async def serve_metrics(
    listen: str, workloads: Workloads, is_connected: Callable[[], bool]
) -> AsyncIterator[str]:
    """Gives the `host:port` that is really served. Raises MetricsUnavailable."""
    app = web.Application()
    pages = _Pages(workloads, is_connected)
    app.add_routes([web.get("/metrics", pages.metrics), web.get("/ready", pages.ready)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        site = web.TCPSite(runner, host.strip("[]"), int(port))
        try:
            await site.start()
        except OSError as error:
            reason = error.strerror or error
            raise MetricsUnavailable(
                f"metrics on {listen}: {reason}; name another place with --metrics"
            ) from None
        bound = runner.addresses[0]
        yield to_authority(bound[0], bound[1])
    finally:
        await runner.cleanup()


class _Pages:
    def __init__(self, workloads: Workloads, is_connected: Callable[[], bool]) -> None:
        self._workloads = workloads
        self._is_connected = is_connected

    async def ready(self, request: web.Request) -> web.Response:
        if self._is_connected():
            return web.Response(text="ready\n")
        return web.Response(
            status=503, text="the control plane does not answer; sidecars go on with what they have\n"
        )

    async def metrics(self, request: web.Request) -> web.Response:
        async with asyncio.TaskGroup() as tasks:
            asked = {
                workload.spec.id: tasks.create_task(_scrape(workload.admin_socket))
                for workload in self._workloads.all()
            }
        text = merge({each: task.result() for each, task in asked.items()})
        text += own_metrics(len(asked), self._is_connected())
        return web.Response(body=text.encode(), headers={"content-type": CONTENT_TYPE})


async def _scrape(admin_socket: Path | None) -> str:
    if admin_socket is None:
        return ""
    try:
        async with EnvoyAdmin(admin_socket) as admin:
            status, body = await admin.ask("/stats/prometheus?usedonly")
    except AdminUnavailable:
        return ""
    return body.decode() if status == 200 else ""


def merge(pages: Mapping[WorkloadId, str]) -> str:
    """One exposition of several: series of one metric stand together, as the format demands, under one TYPE
    line, each with the labels `namespace` and `workload`."""
    kinds: dict[str, str] = {}
    series: dict[str, list[str]] = {}
    for workload, page in sorted(pages.items()):
        labels = f'namespace="{workload.namespace}",workload="{workload.name}"'
        metric = ""
        for line in page.splitlines():
            if line.startswith("# TYPE "):
                metric = line.split(" ", 3)[2]
                kinds.setdefault(metric, line)
                series.setdefault(metric, [])
            elif line and not line.startswith("#") and metric:
                series[metric].append(labelled(line, labels))
    return "".join(
        "\n".join((kinds[metric], *lines)) + "\n" for metric, lines in sorted(series.items()) if lines
    )


def labelled(line: str, labels: str) -> str:
    """`name{a="b"} 1` with the labels put first."""
    name, brace, rest = line.partition("{")
    if brace:
        separator = "" if rest.startswith("}") else ","
        return f"{name}{{{labels}{separator}{rest}"
    name, _, value = line.partition(" ")
    return f"{name}{{{labels}}} {value}"


def own_metrics(workloads: int, is_connected: bool) -> str:
    rows: Iterable[tuple[str, str, int]] = (
        ("proa_node_workloads", "Workloads placed on this node.", workloads),
        ("proa_node_connected", "1 while the control plane answers.", int(is_connected)),
    )
    return "".join(
        f"# HELP {name} {text}\n# TYPE {name} gauge\n{name} {value}\n" for name, text, value in rows
    )
