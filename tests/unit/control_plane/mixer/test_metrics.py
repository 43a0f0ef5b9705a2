import asyncio

from prometheus_client import CollectorRegistry, generate_latest

from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.metrics import MixerMetrics
from proa.control_plane.mixer.mixer import Mixer
from proa.ports.failures import HandlerTemporary
from proa.testing.mixer import rule
from tests.unit.control_plane.mixer.adapters import Scripted, prepared
from tests.unit.control_plane.mixer.test_mixer import Small, plan_of


def test_what_is_counted_can_be_scraped() -> None:
    rules = (rule("a", "scripted", "any", namespace="shop"), rule("b", "other", "any", namespace="shop"))

    async def body() -> str:
        scripted = Scripted()
        mixer = Mixer(Small(), Handlers({"noop": scripted}))
        registry = CollectorRegistry()
        registry.register(MixerMetrics(mixer, {("requests", "would-refuse"): 2}))
        async with mixer.handlers as handlers:
            scripted.refusals = [HandlerTemporary("not now")]
            await handlers.swap(plan_of(*rules))
            with handlers.held() as standing:
                for each in handlers.running:
                    await standing.check(prepared(each.plan.name))
            return generate_latest(registry).decode()

    lines = asyncio.run(body()).splitlines()
    failing, well = "other.noop.shop", "scripted.noop.shop"
    if f'proa_mixer_calls_total{{handler="{failing}",outcome="unopened"}} 1.0' not in lines:
        failing, well = well, failing
    for line in (
        f'proa_mixer_calls_total{{handler="{failing}",outcome="unopened"}} 1.0',
        f'proa_mixer_calls_total{{handler="{well}",outcome="answered"}} 1.0',
        f'proa_mixer_call_seconds_bucket{{handler="{well}",le="+Inf"}} 1.0',
        f'proa_mixer_call_seconds_count{{handler="{well}"}} 1.0',
        f'proa_mixer_calls_waiting{{handler="{well}"}} 0.0',
        'proa_mixer_checks_total{verdict="failed"} 0.0',
        'proa_mixer_quota_charges_total{outcome="would-refuse",quota="requests"} 2.0',
        'proa_mixer_handlers{state="open"} 1.0',
        'proa_mixer_handlers{state="failing"} 1.0',
        'proa_mixer_handlers{state="opening"} 0.0',
    ):
        assert line in lines, line
