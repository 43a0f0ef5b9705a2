"""What is counted of Mixer: what checks came to, and of each handler its calls, their time and how many wait."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proa.control_plane.mixer.mixer import Mixer
from proa.control_plane.mixer.quotas import Ending
from proa.control_plane.mixer.tally import BUCKETS, Tally

_ENDS = (*map(str, BUCKETS), "+Inf")


class MixerMetrics(Collector):
    def __init__(self, mixer: Mixer, charges: Mapping[tuple[str, Ending], int]) -> None:
        """`charges`: by quota and what they came to, as they are when somebody looks."""
        self._mixer, self._charges = mixer, charges

    def collect(self) -> Iterable[Metric]:
        checks = CounterMetricFamily(
            "proa_mixer_checks",
            "Checks by what they came to; failed: a call failed, whatever its rule makes of that",
            labels=["verdict"],
        )
        for verdict, count in self._mixer.counts.items():
            checks.add_metric([verdict], count)
        yield checks
        charges = CounterMetricFamily(
            "proa_mixer_quota_charges",
            "Charges by quota and what they came to; would-refuse: one that only tries was exhausted",
            labels=["quota", "outcome"],
        )
        for (quota, ending), count in self._charges.items():
            charges.add_metric([quota, ending], count)
        yield charges
        yield from self._of_handlers()
        yield from _of_calls(self._mixer.handlers.tallies)

    def _of_handlers(self) -> Iterator[Metric]:
        states = {"open": 0, "opening": 0, "failing": 0}
        under_way = GaugeMetricFamily(
            "proa_mixer_calls_under_way", "Calls to handlers, those that wait among them", labels=["handler"]
        )
        waiting = GaugeMetricFamily(
            "proa_mixer_calls_waiting", "Calls that wait for their turn at a handler", labels=["handler"]
        )
        for each in self._mixer.handlers.running:
            states["open" if each.is_open else "failing" if each.problem else "opening"] += 1
            under_way.add_metric([each.plan.name], each.under_way)
            waiting.add_metric([each.plan.name], each.waiting)
        handlers = GaugeMetricFamily("proa_mixer_handlers", "Handlers in force by state", labels=["state"])
        for state, number in states.items():
            handlers.add_metric([state], number)
        yield from (handlers, under_way, waiting)


def _of_calls(tallies: dict[str, Tally]) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "proa_mixer_calls", "Calls to handlers by how they ended", labels=["handler", "outcome"]
    )
    seconds = HistogramMetricFamily("proa_mixer_call_seconds", "How long calls took", labels=["handler"])
    for name, tally in tallies.items():
        for outcome, count in tally.outcomes.items():
            calls.add_metric([name, outcome], count)
        buckets = list(zip(_ENDS, accumulate(tally.by_bucket), strict=True))
        seconds.add_metric([name], buckets, tally.seconds)
    yield from (calls, seconds)
