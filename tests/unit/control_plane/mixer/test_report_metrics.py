import asyncio

from prometheus_client import CollectorRegistry, generate_latest

from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.report_metrics import ReportMetrics
from proa.control_plane.mixer.reports import Reports
from tests.unit.control_plane.mixer.test_reports import AT_CART, LOGS, Keeping, Small, told


def test_what_is_counted_can_be_scraped() -> None:
    async def body() -> str:
        keeping = Keeping()
        registry = CollectorRegistry()
        async with (
            Handlers({"stdio": keeping}) as handlers,
            Reports(Small(), handlers, "cluster.local") as reports,
        ):
            registry.register(ReportMetrics(reports))
            await handlers.swap(LOGS)
            await reports.hear(AT_CART).take(told(3))
            await reports.emptied()
            keeping.gate.clear()
            await reports.hear(AT_CART).take(told(2))
            return generate_latest(registry).decode()

    lines = asyncio.run(body()).splitlines()
    name = "out.stdio.shop"
    for line in (
        'proa_mixer_entries_total{kind="request"} 5.0',
        'proa_mixer_entries_total{kind="connection"} 0.0',
        f'proa_mixer_reports_total{{handler="{name}",outcome="delivered"}} 3.0',
        f'proa_mixer_reports_total{{handler="{name}",outcome="dropped"}} 0.0',
        f'proa_mixer_reports_waiting{{handler="{name}"}} 2.0',
        "proa_mixer_connections_interrupted_total 0.0",
    ):
        assert line in lines
