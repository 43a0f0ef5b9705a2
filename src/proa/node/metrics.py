"""Port 15090: what all Envoys of this host counted, on one page: Istio's standard metrics with the labels of workload
and peer, Envoy's own with the labels `namespace` and `workload`.

A scraper needs one address per host and no rights on any admin socket. Serves /metrics (/stats/prometheus is the
same, as in Istio) and /ready. `?workload=NAME` is one sidecar alone, `?names=2018` adds durations in seconds by Mixer's
name. One scrape asks a few Envoys at a time, waits for none of them long, and is shared by all who ask for the same
meanwhile.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import Failed
from proa.core.sidecar.standard_metrics import Exposition, Facts, Own, Sample, named, read_page
from proa.node.envoy_admin import AdminUnavailable, EnvoyAdmin
from proa.node.identity_metrics import Identities, identity_metrics
from proa.node.peer_facts import PeerFacts
from proa.node.workload import Workload
from proa.node.workloads import Workloads
from proa.servers.asgi import to_authority

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
ENVOY_S: Final = 3.0
"""So long an Envoy may take for its page; then the scrape goes on without it."""
AT_ONCE: Final = 8
PAGE_BYTES: Final = 32 * 1024 * 1024
"""The longest page of one Envoy that is read: some 5,000 series of all four histograms."""


class MetricsUnavailable(Exception):
    """The address cannot be listened on."""


@asynccontextmanager
async def serve_metrics(
    listen: str,
    workloads: Workloads,
    facts: PeerFacts,
    is_connected: Callable[[], bool],
    identities: Callable[[], Identities],
) -> AsyncIterator[str]:
    """Gives the `host:port` that is really served. Raises MetricsUnavailable."""
    app = web.Application()
    pages = _Pages(workloads, facts, is_connected, identities)
    app.add_routes(
        [
            web.get("/metrics", pages.metrics),
            web.get("/stats/prometheus", pages.metrics),
            web.get("/ready", pages.ready),
        ]
    )
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
    def __init__(
        self,
        workloads: Workloads,
        facts: PeerFacts,
        is_connected: Callable[[], bool],
        identities: Callable[[], Identities],
    ) -> None:
        self._identities = identities
        self._workloads = workloads
        self._facts = facts
        self._is_connected = is_connected
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._one = asyncio.Lock()
        self._last: dict[tuple[WorkloadId | None, bool], tuple[float, str]] = {}

    async def ready(self, request: web.Request) -> web.Response:
        if self._is_connected():
            return web.Response(text="ready\n")
        return web.Response(
            status=503, text="the control plane does not answer; sidecars go on with what they have\n"
        )

    async def metrics(self, request: web.Request) -> web.Response:
        name = request.query.get("workload", "")
        found = self._workloads.find(name) if name else None
        if isinstance(found, Failed):
            return web.Response(status=404, text=f"{found.message}\n")
        text = await self._shared(found, request.query.get("names") == "2018")
        return web.Response(body=text.encode(), headers={"content-type": CONTENT_TYPE})

    async def _shared(self, only: Workload | None, seconds: bool) -> str:
        """One scrape at a time. Who waited takes the page that was begun after he asked, if there is one."""
        clock, key = asyncio.get_running_loop().time, (only.spec.id if only else None, seconds)
        asked = clock()
        async with self._one:
            begun, text = self._last.get(key, (0.0, ""))
            if begun < asked:
                begun, text = clock(), await self._scrape(only, seconds=seconds)
                self._last = {key: (begun, text)}
            return text

    async def _scrape(self, only: Workload | None, *, seconds: bool) -> str:
        chosen = self._workloads.all() if only is None else (only,)
        async with asyncio.TaskGroup() as tasks:
            asked = [
                (workload.own, tasks.create_task(self._page(socket)))
                for workload in chosen
                if (socket := workload.admin_socket) is not None
            ]
        pages = [Page(own=own, text=task.result()) for own, task in asked]
        read = await asyncio.to_thread(read_pages, pages)
        workloads, hosts = await asyncio.to_thread(named, [each for page in read for each in page.samples])
        facts = await self._facts.of(workloads, hosts)
        text = await asyncio.to_thread(render, read, facts, seconds=seconds)
        if only is None:
            text += own_metrics(len(chosen), self._is_connected())
            text += identity_metrics(self._identities(), time.time())
        return text + scraped({page.own.id: page.text is not None for page in pages})

    async def _page(self, admin_socket: Path) -> str | None:
        async with self._turns:
            try:
                async with asyncio.timeout(ENVOY_S), EnvoyAdmin(admin_socket) as admin:
                    return await admin.page("/stats/prometheus?usedonly", PAGE_BYTES)
            except (AdminUnavailable, TimeoutError):
                return None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one Envoy said; None: nothing in time."""

    own: Own
    text: str | None


class ReadPage(msgspec.Struct, frozen=True, kw_only=True):
    own: Own
    samples: list[Sample]
    others: str


def read_pages(pages: Iterable[Page]) -> list[ReadPage]:
    found = []
    for page in pages:
        samples, others = read_page(page.text or "")
        found.append(ReadPage(own=page.own, samples=samples, others=others))
    return found


def render(pages: Iterable[ReadPage], facts: Facts, *, seconds: bool = False) -> str:
    """One text of all: the standard metrics first, then Envoys' own."""
    pages = tuple(pages)
    exposition = Exposition(facts, seconds=seconds)
    for page in pages:
        exposition.add(page.own, page.samples)
    return exposition.text() + merge({page.own.id: page.others for page in pages})


def scraped(answers: Mapping[WorkloadId, bool]) -> str:
    name = "proa_sidecar_scraped"
    lines = [f"# HELP {name} 1 when the sidecar's Envoy answered this scrape.", f"# TYPE {name} gauge"]
    lines += [
        f'{name}{{namespace="{each.namespace}",workload="{each.name}"}} {int(answered)}'
        for each, answered in sorted(answers.items())
    ]
    return "\n".join((*lines, ""))


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
